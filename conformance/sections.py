"""Lines about one matter, and the functions that judge them on a bench."""

from collections.abc import Callable
from dataclasses import dataclass, field

from conformance.bench import Bench
from conformance.lines import Finding, Line, Part, Result, Status, Untested

Check = Callable[[Bench], Finding]


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


def judge(section: Section, line: Line, check: Check, bench: Bench) -> Result:
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
