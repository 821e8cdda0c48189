"""What the launcher shows: steps, the progress of the load, addresses and sign-ins, the state of each process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy.layout import Layout
from deploy.lifecycle import Voice
from deploy.supervision import Process
from deploy.vault import read_object

STATE_COLOURS = {"RUNNING": "green", "STARTING": "yellow", "BACKOFF": "red", "FATAL": "red"}
console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())


@contextmanager
def voice() -> Iterator[Voice]:
    """A voice for a start: a bar on a terminal, a line every tenth elsewhere."""
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("patients", total=None, visible=False)
        tenths: list[int] = []

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)
            tenth = 10 * done // max(total, 1)
            if not console.is_terminal and tenth not in tenths:
                tenths.append(tenth)
                console.print(f"  {done} of {total}")

        yield Voice(lambda text: console.print(f"[dim]·[/dim] {text}"), progress)


def show_system(layout: Layout) -> None:
    """Addresses, and who can sign in; the sandbox's own invented people only."""
    environment, sandbox = read_object(layout.environment), read_object(layout.sandbox_file)
    base = environment.get("RENHICE_BASE_URL", "")
    addresses = Table("Address", "What", title="RENHICE is running", title_justify="left")
    for path, what in (("/", "portal"), ("/fhir/metadata", "FHIR R4"), ("/api/docs", "API"), ("/metrics", "metrics")):
        addresses.add_row(base + path, what)
    for name, url in sorted(sandbox.get("urls", {}).items()):
        addresses.add_row(str(url), name)
    console.print(addresses)
    if sandbox.get("people"):
        console.print(_people(sandbox["people"]))
    console.print(f"Logs: {layout.logs}   Stop: ./renhice down   Story: ./renhice demo")


def _people(people: list[dict[str, Any]]) -> Table:
    table = Table("Role", "Name", "DNI", "Password", title="Who can sign in", title_justify="left")
    for person in people:
        table.add_row(*(str(person.get(key, "")) for key in ("role", "name", "dni", "password")))
    return table


def show_processes(processes: list[Process], *, ready: bool) -> None:
    """One row a process, and whether the whole is ready."""
    table = Table("Process", "State", "Pid", "Since")
    for process in processes:
        colour = STATE_COLOURS.get(process.state, "yellow")
        since = process.description.partition("uptime ")[2] or process.description
        table.add_row(process.name, f"[{colour}]{process.state}[/{colour}]", str(process.pid or ""), since)
    console.print(table)
    console.print("ready" if ready else "not ready")
