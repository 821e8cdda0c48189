"""The command `match` and its parts."""

import os
import signal
import sys
from types import FrameType
from typing import Any

import click

from matching.cli.dedupe import dedupe
from matching.cli.evaluation import evaluate
from matching.cli.explaining import explain
from matching.cli.models import compare, models
from matching.cli.training import train

SIGNALLED = 128
"""What a shell adds to a signal's number for a program that ended by it."""


class Interruptible(click.Group):
    """Commands that may be stopped at any time: nothing half-written stays, and the exit status says by what."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        signal.signal(signal.SIGTERM, _stop)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Stopped; no result was written.", err=True)
            sys.exit(SIGNALLED + signal.SIGINT)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains on its way out
            sys.exit(SIGNALLED + signal.SIGPIPE)


def _stop(number: int, _frame: FrameType | None) -> None:
    sys.exit(SIGNALLED + number)


@click.group(cls=Interruptible)
def match() -> None:
    """Link records in files: find duplicates, train a model, measure a result, explain a pair."""


for command in (dedupe, train, evaluate, explain, models, compare):
    match.add_command(command)
