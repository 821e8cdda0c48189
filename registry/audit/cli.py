"""Commands about the audit's chain: its head, to be noted elsewhere, and whether it holds."""

from dataclasses import dataclass, field
from typing import Any

import click

from registry.app import Renhice
from registry.audit.chain import NO_HEAD, Head
from registry.audit.chaining import end_of_chain
from registry.audit.event import Detail, Event
from registry.audit.service import record
from registry.audit.verification import Verification
from registry.operating import command_parts, operator

SHOWN = 100


class _Head(click.ParamType[Head]):
    name = "head"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Head:
        try:
            return value if isinstance(value, Head) else Head.parse(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


@dataclass(slots=True)
class _Seen:
    head: Head = NO_HEAD
    segments: int = 0
    events: int = 0
    faults: list[str] = field(default_factory=list)


@click.group()
def audit() -> None:
    """The audit's chain, which shows whether the log was tampered with."""


@audit.command("head")
def show_head() -> None:
    """Number and hash of the last segment: note them where nobody who manages this database can write."""
    with command_parts() as parts:
        click.echo(_end(parts))


@audit.command()
@click.option("--from", "first", type=click.IntRange(1), default=1, help="The segment to begin with.")
@click.option("--head", "noted", type=_Head(), help="A head noted earlier, elsewhere: is it in the chain?")
def verify(first: int, noted: Head | None) -> None:
    """Recompute the chain; exit 1 when an event or a segment was changed, taken away or put in."""
    with command_parts() as parts:
        seen = _walk(Verification(parts.database, parts.sealer, first), noted, _end(parts).number)
        if seen.segments == 0 and first > 1:
            seen.faults.append(f"There is no segment {first}.")
        with parts.database.unit_of_work() as session:
            record(session, _account(first, seen))
    for fault in seen.faults[:SHOWN]:
        click.echo(fault)
    if seen.faults:
        raise click.ClickException(f"The audit does not hold. Faults: {len(seen.faults):,}.")
    click.echo(f"The audit holds: {seen.events:,} events in {seen.segments:,} segments.\nHead: {seen.head}")


def _walk(verification: Verification, noted: Head | None, end: int) -> _Seen:
    seen = _Seen()
    with click.progressbar(length=max(end - verification.first + 1, 0), label="Verifying", show_pos=True) as bar:
        for step in verification.steps(noted):
            seen.faults += step.faults
            seen.events += step.events
            if step.segment:
                seen.head, seen.segments = step.segment, seen.segments + 1
                bar.update(1)
    return seen


def _end(parts: Renhice) -> Head:
    with parts.database.unit_of_work() as session:
        return end_of_chain(session).head


def _account(first: int, seen: _Seen) -> Event:
    detail: dict[str, Detail] = {"operator": operator(), "from": first, "to": seen.head.number}
    return Event(
        action="audit:chain:verified",
        outcome="failure" if seen.faults else "success",
        actor_role="operator",
        detail={**detail, "faults": len(seen.faults)},
    )
