"""Commands about keys: make them, see which are in use, move data keys under a new master key, retire an old one."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import click

from registry.app import Renhice
from registry.audit.event import Event
from registry.operating import command_parts, operator
from registry.rotation import MasterKeyUse, list_master_keys, retire, rewrap
from registry.sealing import add_master_key, create_keys, set_aside
from registry.settings import load_settings

_directory = click.option("--directory", type=click.Path(path_type=Path), help="Default: RENHICE_KEYS_DIR.")


@click.group(invoke_without_command=True)
@click.pass_context
def keys(context: click.Context) -> None:
    """Master keys and the blind key; alone: which master keys are still in use."""
    if context.invoked_subcommand is None:
        with command_parts() as parts:
            for line in _lines(parts):
                click.echo(line)


@keys.command()
@_directory
def init(directory: Path | None) -> None:
    """Make the keys that are missing; existing ones stay."""
    for path in create_keys(directory or load_settings().keys_dir):
        click.echo(f"made {path}")


@keys.command("add-master")
@_directory
def add_master(directory: Path | None) -> None:
    """Make the next master key: give it to every host, restart the processes, then rewrap."""
    click.echo(f"made {add_master_key(directory or load_settings().keys_dir)}")


@keys.command("rewrap")
def rewrap_all() -> None:
    """Move every data key under the newest master key; an interrupted run is taken up by the next."""
    with command_parts() as parts:
        current = parts.sealer.current_master_key
        unreadable: dict[UUID, str] = {}
        event = Event(action="keys:data-keys:rewrapped", actor_role="operator", detail=_signed(master_key=current))
        waiting = sum(one.data_keys for one in _uses(parts) if one.master_key_id != current)
        with click.progressbar(length=waiting, label="Rewrapping", show_pos=True) as bar:
            for moved in rewrap(parts.database, parts.sealer, event):
                bar.update(moved.done)
                unreadable |= moved.unreadable
        for line in _lines(parts):
            click.echo(line)
    if unreadable:
        owner, reason = next(iter(unreadable.items()))
        raise click.ClickException(f"{len(unreadable)} data keys were left as they are, such as {owner}'s: {reason}.")


@keys.command("retire")
@click.argument("master_key")
def retire_master(master_key: str) -> None:
    """Bar a master key that wraps nothing any more, such as master-0001, and set its file aside."""
    with command_parts() as parts:
        event = Event(action="keys:master-key:retired", actor_role="operator", detail=_signed())
        with parts.database.unit_of_work() as session:
            retire(session, parts.sealer, master_key, event)
        try:
            place = f"Its file is now {set_aside(parts.settings.keys_dir, master_key)}"
        except OSError:
            place = f"Take its file out of {parts.settings.keys_dir} yourself"
    click.echo(f"Retired {master_key}. {place}; do so on the other hosts.")
    click.echo("Backups of the database made before today need it: destroy it when the last of those is gone.")


def _signed(**detail: str) -> dict[str, str]:
    return {"operator": operator(), **detail}


def _uses(parts: Renhice) -> list[MasterKeyUse]:
    with parts.database.unit_of_work() as session:
        return list_master_keys(session, parts.settings.keys_dir)


def _lines(parts: Renhice) -> Iterator[str]:
    for one in _uses(parts):
        yield f"{one.master_key_id}  {_state(one, parts.sealer.current_master_key):<8}  {one.data_keys:,} data keys"


def _state(one: MasterKeyUse, current: str) -> str:
    if one.data_keys and not one.present:
        return "MISSING"
    if one.retired_at:
        return "retired"
    if one.master_key_id == current:
        return "current"
    return "in use" if one.data_keys else "unused"
