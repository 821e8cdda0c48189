"""Commands an operator of the registry runs."""

from pathlib import Path

import click

from registry.directory.cli import directory
from registry.pide.cli import pide
from registry.sealing import add_master_key, create_keys
from registry.settings import load_settings
from registry.statistics.cli import statistics


@click.group()
def cli() -> None:
    """The registry."""


cli.add_command(directory)
cli.add_command(pide)
cli.add_command(statistics)


@cli.group()
def keys() -> None:
    """Master keys and the blind key."""


@keys.command("init")
@click.option("--directory", type=click.Path(path_type=Path), help="Default: RENHICE_KEYS_DIR.")
def init(directory: Path | None) -> None:
    """Make the keys that are missing; existing ones stay."""
    for path in create_keys(directory or load_settings().keys_dir):
        click.echo(f"made {path}")


@keys.command("add-master")
@click.option("--directory", type=click.Path(path_type=Path), help="Default: RENHICE_KEYS_DIR.")
def add_master(directory: Path | None) -> None:
    """Make the next master key; restart the processes, then re-wrap the data keys."""
    click.echo(f"made {add_master_key(directory or load_settings().keys_dir)}")
