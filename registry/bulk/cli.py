"""Commands about transfers: which files and exports are in trouble, and trying a file again that was given up."""

from uuid import UUID

import click

from registry.audit.event import Event
from registry.audit.service import record
from registry.bulk.export.models import Export
from registry.bulk.models import Import
from registry.bulk.service import restart
from registry.bulk.transfers import GIVEN_UP, list_troubled
from registry.directory.service import get_establishment
from registry.operating import command_parts, operator


@click.group()
def transfers() -> None:
    """Files of patients and exports."""


@transfers.command("list")
def list_all() -> None:
    """Those that fail and are tried again, and those that were given up within a week."""
    with command_parts() as parts, parts.database.unit_of_work() as session:
        found: list[Import | Export] = [*list_troubled(session, Import), *list_troubled(session, Export)]
        for one in found:
            place = get_establishment(session, one.establishment_id).renipress
            kind = "import" if isinstance(one, Import) else "export"
            state = one.error or f"failing, attempt {one.attempts}"
            click.echo(f"{one.id}  {kind}  {place}  {one.changed_at:%Y-%m-%d %H:%M}  {state}")
    if not found:
        click.echo("None is in trouble.")


@transfers.command()
@click.argument("import_id", type=click.UUID)
def retry(import_id: UUID) -> None:
    """Try an import again that was given up; it goes on where it stopped. Mend the cause first."""
    with command_parts() as parts, parts.database.unit_of_work() as session:
        found = session.get(Import, import_id, with_for_update=True)
        if found is None:
            asked = session.get(Export, import_id)
            known = asked is not None and asked.error == GIVEN_UP
            raise click.ClickException(
                "Of an export nothing is kept: its establishment asks for another." if known else "No such import."
            )
        restart(session, found)
        event = Event(
            action="bulk:import:restarted",
            establishment_id=found.establishment_id,
            actor_role="operator",
            detail={"import": str(found.id), "operator": operator()},
        )
        record(session, event)
        registered = f"{found.line:,} lines are behind it"
    click.echo(f"It goes on; {registered}.")
