"""What a person grants is within what was asked, whatever they chose; and within what they chose."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_broker.consents.decision import decide
from consent_broker.consents.directives import AccessQuery, Directive, Item, Kind, Terms
from consent_broker.consents.narrowing import AS_ASKED, Narrowing, narrow
from consent_broker.consents.terms import covers, reaches_as_far
from consent_broker.consents.vocabulary import ALL_CATEGORIES
from registry.errors import Unprocessable
from tests.property.consents.strategies import (
    NOW,
    alive,
    categories,
    days,
    directives,
    ends,
    ids,
    items,
    labels,
    patient,
    perhaps,
    queries,
)

all_categories = st.frozensets(st.sampled_from(sorted(ALL_CATEGORIES)))
choices = st.builds(
    Narrowing,
    categories=perhaps(categories),
    labels=perhaps(labels),
    sources=perhaps(st.frozensets(ids)),
    data_from=perhaps(days),
    data_until=perhaps(days),
    ends_at=ends,
)
asked = directives().map(lambda one: replace(alive(one), kind=Kind.PERMISSION, hides=False, items=None))


@patient
@given(queries, asked, choices, st.lists(items(), min_size=1, max_size=6))
def test_granted_is_within_asked_and_chosen(
    query: AccessQuery, wanted: Directive, choice: Narrowing, things: list[Item]
) -> None:
    with suppress(Unprocessable):
        granted = narrow(wanted, choice)
        assert reaches_as_far(wanted, granted)
        assert granted.ends_at == choice.ends_at or choice.ends_at is None
        before, after = decide(query, [wanted], NOW), decide(query, [granted], NOW)  # type: ignore[list-item]
        for item in things:
            if after.allows(item):
                assert before.allows(item)
                assert choice.categories is None or item.category in choice.categories
                assert choice.labels is None or item.labels <= choice.labels
                assert choice.sources is None or item.source in choice.sources


@patient
@given(asked, choices)
def test_narrowing_twice_is_narrowing_once(wanted: Terms, choice: Narrowing) -> None:
    with suppress(Unprocessable):
        once = narrow(wanted, choice)
        assert narrow(once, choice) == once
        assert narrow(wanted, AS_ASKED) == wanted


@patient
@given(asked, choices)
def test_a_narrowed_consent_is_covered_by_the_one_it_came_from(wanted: Directive, choice: Narrowing) -> None:
    with suppress(Unprocessable):
        granted = replace(narrow(wanted, choice), consent_id=UUID(int=5))  # type: ignore[call-arg]
        assert covers(wanted, granted)


@given(chosen=perhaps(all_categories), asked=perhaps(all_categories))
def test_categories_are_some_of_those_asked_or_refused(
    chosen: frozenset[str] | None, asked: frozenset[str] | None
) -> None:
    try:
        found = Narrowing(categories=chosen).of_categories(asked)
    except Unprocessable:
        assert chosen is not None
        assert not chosen or (asked is not None and not chosen <= asked)
        return
    assert found == asked if chosen is None else found == chosen
    assert asked is None or (found is not None and found <= asked)


@given(chosen=ends, asked=ends)
def test_an_end_is_no_later_than_asked_or_refused(chosen: datetime | None, asked: datetime | None) -> None:
    try:
        found = Narrowing(ends_at=chosen).of_end(asked)
    except Unprocessable:
        assert chosen is not None
        assert asked is not None
        assert chosen > asked
        return
    assert asked is None or (found is not None and found <= asked)


def test_as_asked_changes_nothing() -> None:
    assert AS_ASKED.of_categories(None) is None
    assert AS_ASKED.of_end(NOW) == NOW


@pytest.mark.parametrize("chosen", [frozenset[str](), frozenset({"problems"})])
def test_nothing_and_more_are_refused(chosen: frozenset[str]) -> None:
    with pytest.raises(Unprocessable):
        Narrowing(categories=chosen).of_categories(frozenset({"allergies"}))
