"""Commands an operator of the registry runs."""

import click

from registry.audit.cli import audit
from registry.bulk.cli import transfers
from registry.directory.cli import directory
from registry.identity.cli import identity
from registry.keys_cli import keys
from registry.pide.cli import pide
from registry.statistics.cli import statistics


@click.group()
def cli() -> None:
    """The registry."""


cli.add_command(audit)
cli.add_command(directory)
cli.add_command(identity)
cli.add_command(keys)
cli.add_command(pide)
cli.add_command(statistics)
cli.add_command(transfers)
