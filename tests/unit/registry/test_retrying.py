"""Retries stay a small share of the requests, and a holder's word about when is understood or ignored."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.retrying import EARNED_EACH, MOST, SHARE, RetryBudgets, retry_after

MOMENT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.booleans(), max_size=300))
def test_retries_are_a_tenth_of_the_requests_and_the_first_three(asks: list[bool]) -> None:
    budgets = RetryBudgets(Clock())
    requests = taken = 0
    for again in asks:
        budgets.note_request("a")
        requests += 1
        taken += budgets.take("a") if again else 0
    assert taken <= MOST + SHARE * requests


def test_one_is_earned_a_minute_and_no_more_than_three_are_kept() -> None:
    clock = Clock()
    budgets = RetryBudgets(clock)
    assert [budgets.take("a") for _ in range(4)] == [True, True, True, False]
    clock.now = EARNED_EACH
    assert [budgets.take("a") for _ in range(2)] == [True, False]
    clock.now = 100 * EARNED_EACH
    assert [budgets.take("a") for _ in range(4)] == [True, True, True, False]


def test_each_has_a_budget_of_its_own() -> None:
    budgets = RetryBudgets(Clock())
    while budgets.take("a"):
        pass
    assert budgets.take("b")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("2", 2.0),
        (" 0 ", 0.0),
        ("Thu, 26 Nov 2026 12:00:30 GMT", 30.0),
        ("Thu, 26 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 400, None),
        ("", None),
    ],
    ids=["none", "seconds", "spaces", "date", "past", "word", "negative", "fraction", "foreign-digit", "huge", "empty"],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, MOMENT) == seconds
