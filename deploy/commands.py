"""`up`, `down` and `status`, and a running system for those who need one."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
import psycopg

from deploy.layout import Layout
from deploy.lifecycle import DEFAULT_PORT, Options, alone, bring_up, make_fresh
from deploy.postgres import ServiceError
from deploy.presentation import console, show_processes, show_system, voice
from deploy.readiness import is_ready
from deploy.supervision import Supervisor
from deploy.vault import read_object

NOT_RUNNING = 3
STOPPING = (signal.SIGINT, signal.SIGTERM)


@click.command()
@click.option("--port", type=click.IntRange(1024, 65000), default=DEFAULT_PORT, show_default=True)
@click.option("--fresh", is_flag=True, help="Delete what earlier runs left in var/ and begin anew.")
@click.option("--no-sandbox", is_flag=True, help="The product alone.")
@click.option("--detach", is_flag=True, help="Return when ready.")
@click.option("--population", type=click.IntRange(20, 1_000_000), help="Persons in the sandbox  [default: 400]")
def up(port: int, *, fresh: bool, no_sandbox: bool, detach: bool, population: int | None) -> None:
    """Start everything, and stay until Ctrl-C."""
    layout, supervisor = Layout(), Supervisor(Layout())
    for name in STOPPING:
        signal.signal(name, _interrupt)
    with alone(layout, console.print), reported():
        if fresh:
            make_fresh(layout)
        if supervisor.running():
            console.print("Already running.")
            show_system(layout)
            return
        with voice() as telling:
            bring_up(layout, Options(port, sandbox=not no_sandbox, population=population), telling)
    show_system(layout)
    if not detach:
        _stay(supervisor)


def ensure_running() -> None:
    """Start the system with its sandbox unless it runs; it is left running."""
    layout = Layout()
    with alone(layout, console.print), reported():
        if not Supervisor(layout).running():
            with voice() as telling:
                bring_up(layout, Options(), telling)
            console.print("The system stays up; ./renhice down stops it.")


@contextmanager
def reported() -> Iterator[None]:
    """Exit with what failed (1), or quietly when interrupted (130)."""
    try:
        yield
    except (ServiceError, OSError, RuntimeError, psycopg.Error) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        console.print("Stopped.")
        sys.exit(130)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    for name in STOPPING:  # what is being stopped is stopped to the end
        signal.signal(name, signal.SIG_IGN)
    raise KeyboardInterrupt


def _stay(supervisor: Supervisor) -> None:
    console.print("Ctrl-C stops everything.")
    try:
        while supervisor.running():
            time.sleep(1)
        console.print("Stopped from elsewhere.")
    except KeyboardInterrupt:
        console.print("Stopping ...")
        supervisor.shut_down()


@click.command()
def down() -> None:
    """Stop everything."""
    layout, supervisor = Layout(), Supervisor(Layout())
    with alone(layout, console.print):
        running = supervisor.running()
        supervisor.shut_down()
    console.print("Stopped." if running else "Nothing was running.")


@click.command()
def status() -> None:
    """List the processes; exit 0 when all is ready, 1 when something is not, 3 when nothing runs."""
    layout = Layout()
    processes = Supervisor(layout).processes()
    if not processes:
        console.print("Not running.")
        sys.exit(NOT_RUNNING)
    ready = is_ready(str(read_object(layout.environment).get("RENHICE_BASE_URL", "")))
    show_processes(processes, ready=ready)
    sys.exit(0 if ready and all(process.state == "RUNNING" for process in processes) else 1)
