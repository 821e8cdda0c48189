"""Narrowing never yields more than was asked, whatever is chosen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_broker.consents.narrowing import AS_ASKED, Narrowing
from consent_broker.consents.vocabulary import ALL_CATEGORIES
from registry.errors import Unprocessable

MOMENT = datetime(2026, 3, 5, tzinfo=UTC)
categories = st.none() | st.frozensets(st.sampled_from(sorted(ALL_CATEGORIES)))
moments = st.none() | st.integers(0, 90).map(lambda days: MOMENT + timedelta(days=days))


@given(chosen=categories, asked=categories)
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


@given(chosen=moments, asked=moments)
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
    assert AS_ASKED.of_end(MOMENT) == MOMENT


@pytest.mark.parametrize("chosen", [frozenset[str](), frozenset({"problems"})])
def test_nothing_and_more_are_refused(chosen: frozenset[str]) -> None:
    with pytest.raises(Unprocessable):
        Narrowing(categories=chosen).of_categories(frozenset({"allergies"}))
