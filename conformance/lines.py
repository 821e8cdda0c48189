"""What a report is made of: lines that ask something of a candidate, and what was found."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.bench import Bench


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


Check = Callable[["Bench"], Finding]


@dataclass(frozen=True, slots=True)
class Section:
    """Lines about one matter, in the order they are tried."""

    title: str
    part: Part
    checks: list[tuple[Line, Check]] = field(default_factory=list)

    def line(self, line: Line) -> Callable[[Check], Check]:
        """Decorator: this function judges the line."""

        def add(check: Check) -> Check:
            self.checks.append((line, check))
            return check

        return add


def held(seen: str) -> Finding:
    """The line holds."""
    return Finding(Status.PASSED, seen)


def broken(seen: str) -> Finding:
    """The line does not hold."""
    return Finding(Status.FAILED, seen)


def doubtful(seen: str) -> Finding:
    """The line holds, with something that somebody should look at."""
    return Finding(Status.WARNING, seen)


def judge(section: Section, line: Line, check: Check, bench: "Bench") -> Result:
    """Try one line; whatever the candidate does, there is a result."""
    try:
        finding = check(bench)
    except Untested as reason:
        finding = Finding(Status.SKIPPED, str(reason))
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # an answer of a shape nobody thought of
        finding = Finding(Status.FAILED, f"respuesta que no se puede leer ({type(error).__name__})")
    if finding.status is Status.FAILED and not line.mandatory:
        finding = Finding(Status.WARNING, finding.seen)
    return Result(section.title, line, finding)
