"""Commands for representatives: put on record, end, list; audited with the operator's account."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import click

from consent_broker.consents.representatives import Proposal, Recorder, appoint, dismiss, mandate_of
from registry.app import Renhice
from registry.database import now, session
from registry.directory.options import Until, document_option
from registry.directory.representatives import PAPERS, Basis, Paper, Power, list_of_person
from registry.identity.service import list_person_ids
from registry.operating import command_parts, operator

_BASES = click.Choice([basis.value for basis in Basis])
_POWERS = click.Choice([power.value for power in Power])


@click.group("representatives")
def representatives() -> None:
    """Who may act in another's name."""


@representatives.command("add")
@click.option("--person", required=True, type=click.UUID, help="The registry's id of the person represented.")
@document_option
@click.option("--name", required=True, prompt="Names and surnames", help="The representative's, as they use them.")
@click.option("--basis", required=True, type=_BASES)
@click.option("--power", "powers", multiple=True, type=_POWERS, default=("see", "decide"), show_default=True)
@click.option("--paper", required=True, type=click.Choice(sorted(PAPERS)), help="What it rests on.")
@click.option("--reference", required=True, prompt="Reference of the paper", help="Its number, registry and date.")
@click.option("--sha256", help="Of the paper's image, where one is kept.")
@click.option("--until", type=Until(), help="A date (midnight in Lima) or a moment; parents end at 18 without one.")
def add(**given: Any) -> None:
    """Put a representation on record, in force from now."""
    proposal = Proposal(
        person_id=given["person"],
        document=given["document"],
        name=given["name"],
        basis=Basis(given["basis"]),
        powers=frozenset(map(Power, given["powers"])),
        paper=Paper(kind=given["paper"], reference=given["reference"], sha256=given["sha256"]),
        until=given["until"],
    )
    with _at_work() as parts:
        row = appoint(session(), parts.sealer, proposal, _recorder())
        click.echo(f"{row.id}  {row.basis}  {' '.join(row.powers)}")


@representatives.command("end")
@click.argument("representation", type=click.UUID)
@click.option("--reason", required=True, help="Why; kept in the audit.")
def end(representation: UUID, reason: str) -> None:
    """End a representation now."""
    with _at_work():
        dismiss(session(), representation, reason, _recorder())
    click.echo("The representation has ended.")


@representatives.command("list")
@click.argument("person", type=click.UUID)
def show(person: UUID) -> None:
    """Show who represents a person or did, and whether it counts now; no names."""
    with _at_work() as parts:
        age = parts.settings.adolescent_from_age
        for row in list_of_person(session(), list_person_ids(session(), person)):
            counts = mandate_of(session(), parts.sealer, row, now(), age)
            state = "in force" if counts else f"ended ({row.end_reason or 'by itself'})"
            click.echo(f"{row.id}  {row.basis:8} {' '.join(row.powers):18} {state}")


@contextmanager
def _at_work() -> Iterator[Renhice]:
    with command_parts() as parts, parts.database.unit_of_work():
        yield parts


def _recorder() -> Recorder:
    return Recorder(role="operator", detail={"operator": operator()})
