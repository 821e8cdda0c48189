"""The command line behind `./renhice`: this room's commands, and those of the others."""

import os

import click

from deploy.checking import test
from deploy.commands import down, status, up
from deploy.doctor import doctor
from deploy.layout import Layout
from deploy.vault import read_object
from registry.cli import cli as registry

OWN = (up, down, status, test, doctor)


@click.group()
@click.pass_context
def main(context: click.Context) -> None:
    """RENHICE: Peru's national registry index of electronic health records."""
    if context.invoked_subcommand not in {command.name for command in OWN}:
        for name, value in read_object(Layout().environment).items():
            os.environ.setdefault(name, value)


for command in (*OWN, *registry.commands.values()):
    main.add_command(command)


if __name__ == "__main__":
    main(prog_name="renhice")
