"""What every operator's command needs: the shared parts, the operator's account, and errors as one clear line."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy.exc import OperationalError

from registry.app import Renhice, make_parts
from registry.errors import DomainError
from registry.sealing import SealError
from registry.settings import SettingsError, load_settings


@contextmanager
def command_parts() -> Iterator[Renhice]:
    """The parts of a process that runs one command; what an operator can mend ends it as a ClickException."""
    try:
        parts = make_parts(load_settings())
        try:
            yield parts
        finally:
            parts.database.engine.dispose()
    except (SettingsError, SealError) as error:
        raise click.ClickException(str(error)) from None
    except DomainError as error:
        raise click.ClickException(" ".join(filter(None, (error.message, error.hint)))) from None
    except OperationalError as error:
        raise click.ClickException(f"The database does not answer: {type(error.orig).__name__}.") from None


def operator() -> str:
    """The account of the operating system that runs the command, for the audit."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
