"""Birth dates as people write them."""

import re
from datetime import date
from functools import lru_cache
from typing import Literal

DateOrder = Literal["dmy", "mdy"]
POSITIONS: dict[DateOrder, tuple[int, int, int]] = {"dmy": (2, 1, 0), "mdy": (2, 0, 1)}
YEAR_FIRST = (0, 1, 2)
COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})$", re.ASCII)
TIME_OF_DAY = re.compile(r"[T ]+\d{1,2}:\d{2}.*$")
SEPARATORS = re.compile(r"[-/.,\s]+(?:DE[L]?\s+)?", re.IGNORECASE)
MONTHS = ("ENE", "FEB", "MAR", "ABR", "MAY", "JUN", "JUL", "AGO", "SEP", "OCT", "NOV", "DIC")
MONTH_NUMBERS = {name: str(number) for number, name in enumerate(MONTHS, 1)}
MONTH_NUMBERS |= {"JAN": "1", "APR": "4", "AUG": "8", "SET": "9", "DEC": "12"}
LATEST_SHORT_YEAR = 26


@lru_cache(maxsize=65_536)
def parse_date(text: str, order: DateOrder = "dmy") -> date | None:
    """A date written year first, or day first (`mdy`: month first), with any separators or none, months in words too.

    A year without its day is its 1 January, which the engine takes for no more than the year. A month above 12 means
    that day and month were exchanged. Two digits of a year mean 1927 to 2026. Anything else is missing.
    """
    plain = COMPACT.sub(r"\1-\2-\3", TIME_OF_DAY.sub("", text.strip()))
    parts = [MONTH_NUMBERS.get(part[:3].upper(), part) for part in SEPARATORS.split(plain)]
    if not all(part.isascii() and part.isdecimal() and len(part) <= 4 for part in parts):
        return None
    if len(parts) < 3:
        years = [int(part) for part in parts if len(part) == 4]
        return _date(years[0], 1, 1) if len(years) == 1 else None
    if len(parts) > 3:
        return None
    year, month, day = (parts[at] for at in (YEAR_FIRST if len(parts[0]) == 4 else POSITIONS[order]))
    return _date(_full_year(year), int(month), int(day))


def _full_year(year: str) -> int:
    if len(year) != 2:
        return int(year)
    return int(year) + (2000 if int(year) <= LATEST_SHORT_YEAR else 1900)


def _date(year: int, month: int, day: int) -> date | None:
    if month > 12:
        month, day = day, month
    try:
        return date(year, month, day)
    except ValueError:
        return None
