"""Dates as people write them."""

from datetime import date

import pytest

from matching.dates import parse_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1985-03-12", date(1985, 3, 12)),
        ("12.03.1985", date(1985, 3, 12)),
        ("12/3/85", date(1985, 3, 12)),
        ("12/3/04", date(2004, 3, 12)),
        ("19850312", date(1985, 3, 12)),
        ("1985-03-12 00:00:00", date(1985, 3, 12)),
        ("12/03/1985 0:00", date(1985, 3, 12)),
        ("12-mar-1985", date(1985, 3, 12)),
        ("12 de setiembre de 1985", date(1985, 9, 12)),
        ("1985-13-05", date(1985, 5, 13)),
        ("1985", date(1985, 1, 1)),
        ("1985-03", date(1985, 1, 1)),
        ("1985-02-30", None),
        ("0000-01-01", None),
        ("19850230", None),
        ("31/12", None),
        ("31118", None),
        ("²-1-1985", None),
        ("1-2-3-1985", None),
        ("never", None),
        ("", None),
    ],
)
def test_dates(text: str, expected: date | None) -> None:
    assert parse_date(text) == expected


def test_month_first_where_the_schema_says_so() -> None:
    assert parse_date("3/12/1985", "mdy") == date(1985, 3, 12)
    assert parse_date("3/14/1985", "dmy") == date(1985, 3, 14)
    assert parse_date("1985-03-12", "mdy") == date(1985, 3, 12)
