"""All commands of `./renhice`: this room's, the product's, the engine's, the kit's and the sandbox's story."""

import os
from typing import Any

import click

from conformance.cli import conformance
from consent_broker.consents.states import count_with_consent
from consent_broker.rooms import broker_commands
from deploy.checking import test
from deploy.commands import down, ensure_running, status, up
from deploy.doctor import doctor
from deploy.exporting import export_file
from deploy.importing import import_file
from deploy.layout import Layout
from deploy.vault import read_object
from matching.cli.main import match
from registry.cli import cli as registry
from registry.identity.cli import identity
from registry.identity.reresolution.cli import reresolve_command
from sandbox.cli import demo as story

identity.add_command(reresolve_command(count_with_consent))
CONFIGURED: dict[str, click.Command] = {**registry.commands, "broker": broker_commands}


@click.group()
@click.pass_context
def main(context: click.Context) -> None:
    """RENHICE: Peru's national registry index of electronic health records."""
    if context.invoked_subcommand in CONFIGURED:
        for name, value in read_object(Layout().environment).items():
            os.environ.setdefault(name, value)


@click.pass_context
def tell_story(context: click.Context, /, **arguments: Any) -> None:
    """Start the system unless it runs, then hand over to the sandbox's own command."""
    ensure_running()
    context.invoke(story, **arguments)


demo = click.Command("demo", params=story.params, callback=tell_story, help=story.help)
for command in (
    up,
    down,
    status,
    demo,
    test,
    doctor,
    match,
    import_file,
    export_file,
    conformance,
    *CONFIGURED.values(),
):
    main.add_command(command)
