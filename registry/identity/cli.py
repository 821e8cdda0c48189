"""Commands about the index of identities."""

import click

from registry.audit.event import Event
from registry.identity.engine import engine_of
from registry.identity.rekeying import count_pending, drop_former, put_in_force, write_tokens
from registry.identity.reresolution.listing import list_models
from registry.operating import command_parts, operator


@click.group()
def identity() -> None:
    """The index: the keys it is searched by, and the model it goes by."""


@identity.command()
@click.option("--drop-former", "drop", is_flag=True, help="Remove the former version's tokens too: no way back.")
@click.option("--without-unreadable", is_flag=True, help="Go on though some records can't be opened.")
def rekey(*, drop: bool, without_unreadable: bool) -> None:
    """Index every record by this version's blocking keys, then put them in force; an interrupted run is taken up again.

    The former version may serve meanwhile. Once the keys are in force only this version registers and searches.
    """
    event = Event(action="identity:index:rekeyed", actor_role="operator", detail={"operator": operator()})
    with command_parts() as parts:
        with parts.database.unit_of_work() as session:
            waiting = count_pending(session)
        with click.progressbar(length=waiting, label="Indexing", show_pos=True) as bar:
            for rekeyed in write_tokens(parts.database, parts.sealer):
                bar.update(rekeyed.done)
        with parts.database.unit_of_work() as session:
            switched = put_in_force(session, parts.sealer, event, without_unreadable=without_unreadable)
        click.echo(
            "This version's keys are in force now." if switched else "This version's keys were in force already."
        )
        if drop:
            click.echo(f"{sum(drop_former(parts.database)):,} keys of other versions removed.")


@identity.command()
def models() -> None:
    """The models decisions were made by: hash, version, how many membership events, and which is in force."""
    with command_parts() as parts, parts.database.unit_of_work() as session:
        in_force = engine_of(parts).model
        for one in list_models(session, in_force):
            mark = "in force" if one.hash == in_force.hash else ""
            used = (
                f"{one.first_used:%Y-%m-%d} to {one.last_used:%Y-%m-%d}"
                if one.first_used and one.last_used
                else "never used"
            )
            click.echo(f"{one.hash}  {one.version or '?':<14} {one.decisions:>9,} decisions, {used}  {mark}".rstrip())
