"""What a report is made of: lines that ask something of a candidate, and what was found."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a line ended. A recommended line that does not hold is a warning."""

    PASSED = "passed"
    FAILED = "failed"
    WARNING = "warning"
    SKIPPED = "skipped"


class Part(StrEnum):
    """What of a candidate is tested: its FHIR server, its feed, where it takes security events."""

    SERVER = "server"
    FEED = "feed"
    EVENTS = "events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One requirement; everything but the id is for people, in Spanish."""

    id: str
    asked: str
    norm: str
    expected: str
    mend: str
    mandatory: bool = True


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, and how it is judged."""

    status: Status
    seen: str


@dataclass(frozen=True, slots=True)
class Result:
    """A line, the section it stands in, and what was found."""

    section: str
    line: Line
    finding: Finding


class Untested(Exception):
    """The line can't be judged; the message says why, in Spanish."""


def held(seen: str) -> Finding:
    """The line holds."""
    return Finding(Status.PASSED, seen)


def broken(seen: str) -> Finding:
    """The line does not hold."""
    return Finding(Status.FAILED, seen)


def doubtful(seen: str) -> Finding:
    """The line holds, with something that somebody should look at."""
    return Finding(Status.WARNING, seen)
