"""Commands of signals: what has not arrived, and sending it once more."""

from datetime import datetime

import click

from consent_broker.signals.service import MAX_ATTEMPTS, list_undelivered, replay
from registry.audit.event import Event
from registry.audit.service import record
from registry.calendar import LIMA
from registry.directory.service import get_establishment, list_establishments
from registry.operating import command_parts, operator


@click.command()
def signals() -> None:
    """Show the security events that establishments have not accepted yet, oldest first."""
    with command_parts() as parts, parts.database.unit_of_work() as session:
        waiting = list_undelivered(session)
        names = {place.id: place for place in list_establishments(session, {one.establishment_id for one in waiting})}
        for one in waiting:
            state = "given up" if one.attempts >= MAX_ATTEMPTS else f"{one.attempts} attempts"
            place = names[one.establishment_id]
            raised = one.raised_at.astimezone(LIMA).isoformat(timespec="seconds")
            click.echo(f"{raised}  {place.renipress}  {one.kind}  {state}  {one.last_error or '-'}")
        click.echo(f"{len(waiting)} have not arrived.")


@click.command("replay-signals")
@click.argument("renipress")
@click.option("--since", required=True, type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="In Lima's time.")
def replay_signals(renipress: str, since: datetime) -> None:
    """Send an establishment everything raised for it since a moment once more."""
    with command_parts() as parts, parts.database.unit_of_work() as session:
        place = get_establishment(session, renipress)
        count = replay(session, place.id, since.replace(tzinfo=LIMA))
        event = Event(
            action="signals:establishment:replayed",
            establishment_id=place.id,
            actor_role="operator",
            detail={"operator": operator(), "count": count},
        )
        record(session, event)
    click.echo(f"{count} will be sent again.")
