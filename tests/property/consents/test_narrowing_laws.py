"""What a person grants is within what was asked, whatever they chose; and within what they chose."""

from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from consent_broker.consents.decision import decide
from consent_broker.consents.directives import AccessQuery, Directive, Item, Kind, Terms
from consent_broker.consents.narrowing import AS_ASKED, Narrowing, narrow
from consent_broker.consents.terms import covers, reaches_as_far
from consent_broker.consents.vocabulary import ALL_CATEGORIES
from portal.narrowing import read_choice
from portal.views import ConsentQuestion
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
                assert choice.data_from is None or (item.first or date.min) >= choice.data_from
                assert choice.data_until is None or (item.last or date.max) <= choice.data_until


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


written = st.sampled_from(["", "ayer", "2025-01-02", "2025-01-04", "2026-11-25", "2027-01-01", "0001-01-01", "9" * 50])
parts = st.fixed_dictionaries(
    {
        "hasta": st.sampled_from(["0", "3", "90", "todo", "otro", "", "-1"]),
        **dict.fromkeys(("datos-desde", "datos-hasta", "ultimo-dia"), written),
    }
)


@given(typed=parts, ticked=st.lists(st.sampled_from(["allergies", "encounters"]), unique=True), first=days, last=days)
def test_whatever_is_typed_is_within_what_was_asked_or_is_said_to_be_wrong(
    typed: dict[str, str], ticked: list[str], first: date, last: date
) -> None:
    asked = Terms(
        person_id=UUID(int=1),
        establishment_id=UUID(int=2),
        categories=frozenset({"allergies"}),
        data_from=min(first, last),
        data_until=max(first, last),
        purposes=frozenset({"TREAT"}),
        ends_at=NOW + timedelta(days=5),
    )
    page = ConsentQuestion(
        action="", establishment="", place="", professional="", credential="", purpose="TREAT",
        categories=["allergies"], until=NOW + timedelta(days=5), days=(asked.data_from, asked.data_until),
    )  # fmt: skip
    form = MultiDict([*typed.items(), *(("categoria", one) for one in ticked), ("decision", "permitir-parte")])
    choice = read_choice(form, page, NOW)
    assert (choice.narrowing is None) == bool(choice.problems)
    if choice.narrowing:
        granted = narrow(asked, choice.narrowing)
        assert reaches_as_far(asked, granted)
        assert asked.ends_at is not None
        assert granted.ends_at is not None
        assert NOW < granted.ends_at <= asked.ends_at
        assert typed["datos-desde"] in {"", str(granted.data_from)}
        assert typed["datos-hasta"] in {"", str(granted.data_until)}


def test_as_asked_changes_nothing() -> None:
    assert AS_ASKED.of_categories(None) is None
    assert AS_ASKED.of_end(NOW) == NOW


@pytest.mark.parametrize("chosen", [frozenset[str](), frozenset({"problems"})])
def test_nothing_and_more_are_refused(chosen: frozenset[str]) -> None:
    with pytest.raises(Unprocessable):
        Narrowing(categories=chosen).of_categories(frozenset({"allergies"}))
