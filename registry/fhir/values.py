"""The values of search parameters (FHIR R4 search §3.1.1.4): tokens, references, and dates with their prefixes."""

import re
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from registry.calendar import LIMA
from registry.errors import InvalidInput, NotFound

_DATE = re.compile(
    r"(?P<prefix>eq|ne|gt|lt|ge|le|sa|eb|ap)?(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?P<time>T.{5,30})?)?)?",
    re.ASCII,
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


class Token(NamedTuple):
    """`code`, `system|code`, `system|` (any code of it) or `|code` (one without a system): None is any, "" is none."""

    system: str | None
    code: str | None

    def matches(self, system: str | None, code: str | None) -> bool:
        """Whether a coding or identifier is meant."""
        said = self.system is None or self.system == (system or "")
        return said and (self.code is None or self.code == code)


def read_token(text: str) -> Token:
    """A token; raises InvalidInput for one that says nothing."""
    system, bar, code = text.partition("|")
    if not bar:
        return Token(None, text)
    if not system and not code:
        raise InvalidInput("A token is code, system|code, system| or |code.")
    return Token(system, code or None)


def read_reference(text: str, resource_type: str) -> str | None:
    """The id out of `id`, `Type/id` or an absolute reference; None for a reference to another type."""
    kind, slash, identifier = text.rpartition("/")
    return identifier if not slash or kind.rpartition("/")[2] == resource_type else None


def read_uuid(text: str | None) -> UUID | None:
    """An id of ours; None for any other, and for another way to write one: ids are compared as they are."""
    return UUID(text) if text and _UUID.fullmatch(text) else None


def read_id(text: str, nothing: str) -> UUID:
    """The id of ours in a path; NotFound, in these words, for anything else, also for another way to write one."""
    found = read_uuid(text)
    if found is None or str(found) != text:
        raise NotFound(nothing)
    return found


@dataclass(frozen=True, slots=True)
class DateTest:
    """A prefix and the span of time its date means: `low` is in it, `high` is the first moment that is not."""

    prefix: str
    low: datetime
    high: datetime

    def accepts(self, low: datetime, high: datetime | None = None) -> bool:
        """Whether a moment, or a span from `low` to before `high`, is what the test asks for."""
        high = high or low + timedelta(microseconds=1)
        answers = {
            "eq": self.low <= low and high <= self.high,
            "ne": low < self.low or self.high < high,
            "gt": high > self.high,
            "ge": high > self.low,
            "lt": low < self.low,
            "le": low < self.high,
            "sa": low >= self.high,
            "eb": high <= self.low,
            "ap": low < self.high + (self.high - self.low) and high > self.low - (self.high - self.low),
        }
        return answers[self.prefix]

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """The first moment the test accepts and the first behind those it accepts; raises InvalidInput for `ne`."""
        width = self.high - self.low
        answers = {
            "eq": (self.low, self.high),
            "gt": (self.high, None),
            "sa": (self.high, None),
            "ge": (self.low, None),
            "lt": (None, self.low),
            "eb": (None, self.low),
            "le": (None, self.high),
            "ap": (self.low - width, self.high + width),
        }
        if self.prefix not in answers:
            raise InvalidInput("Here a date takes no ne.", code="unsupported-prefix")
        return answers[self.prefix]

    def accepts_date(self, said: str) -> bool:
        """The same for a FHIR date, which is a day, a month or a year in Lima: all of it."""
        span = read_date(said)
        return self.accepts(span.low, span.high)


def read_date(text: str) -> DateTest:
    """A date, month, year or moment with its prefix; what names no time zone is Lima's. Raises InvalidInput."""
    found = _DATE.fullmatch(text.replace(" ", "+"))
    span = _span(found) if found else None
    if found is None or span is None:
        raise InvalidInput("A date is such as 1984, 1984-07, 1984-07-19 or ge2026-01-01.", code="date-malformed")
    return DateTest(found["prefix"] or "eq", *span)


def _span(found: re.Match[str]) -> tuple[datetime, datetime] | None:
    """None for what is no date, and for one so near the end of the calendar that `ap` could not reach around it."""
    try:
        low, high = _moment(found) if found["time"] else _days(found)
        around = low - (high - low), high + (high - low)
    except (ValueError, OverflowError):
        return None
    return (low, high) if all(MINYEAR < one.year < MAXYEAR for one in around) else None


def _moment(found: re.Match[str]) -> tuple[datetime, datetime]:
    moment = datetime.fromisoformat(found[0].removeprefix(found["prefix"] or ""))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=LIMA)
    return moment, moment + SECOND


def _days(found: re.Match[str]) -> tuple[datetime, datetime]:
    low = datetime(int(found["year"]), int(found["month"] or 1), int(found["day"] or 1), tzinfo=LIMA)
    if found["day"]:
        return low, low + DAY
    if found["month"]:
        return low, (low.replace(day=28) + timedelta(days=4)).replace(day=1)
    return low, low.replace(year=low.year + 1)
