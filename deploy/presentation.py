"""What the launcher shows: steps, the progress of the load, addresses and sign-ins, the state of each process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deploy.layout import Layout
from deploy.outside import Voice
from deploy.supervision import Process
from deploy.vault import read_object

PAGES = {"/": "portal", "/fhir/metadata": "FHIR R4", "/api/docs": "API", "/metrics": "metrics"}
PEOPLE_SHOWN = 10
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
    """Addresses, and who can sign in: invented people of the sandbox only."""
    settings = read_object(layout.environment)
    base = str(settings.get("RENHICE_BASE_URL", ""))
    sandbox = read_object(layout.sandbox_file)
    addresses = Table("Address", "What", title="RENHICE is running", title_justify="left")
    for path, what in PAGES.items():
        addresses.add_row(base + path, what)
    if "RENHICE_MLLP_PORT" in settings:
        host = settings.get("RENHICE_MLLP_HOST", "127.0.0.1")
        addresses.add_row(f"mllps://{host}:{settings['RENHICE_MLLP_PORT']}", "HL7 v2, with a client certificate")
    for address, what in _outside(sandbox):
        addresses.add_row(address, what)
    console.print(addresses)
    if sandbox.get("people"):
        console.print(_people(sandbox["people"][:PEOPLE_SHOWN]))
        console.print(f"More of them, and the record systems' keys: {layout.sandbox_file}")
    console.print(f"Logs: {layout.logs}   Stop: ./renhice down   Story: ./renhice demo")


def _outside(sandbox: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "id_peru" in sandbox:
        yield str(sandbox["id_peru"]["issuer"]), "ID Perú (simulated)"
        yield str(sandbox["staff_provider"]["issuer"]), "Where health staff signs in (simulated)"
        yield str(sandbox["pide"]["url"]), "RENIEC over PIDE (simulated)"
        yield str(sandbox["sms"]["url"]), "Everybody's text messages (simulated)"
    for establishment in sandbox.get("establishments", []):
        yield str(establishment["base_url"]), f"{establishment['renipress']} {establishment['name']}"


def _people(people: list[dict[str, Any]]) -> Table:
    """What has to be typed never folds; the name and the role do."""
    table = Table("Who can sign in", title="Sign-ins (document · password · code · PIN)", title_justify="left")
    for heading in ("Document", "Password", "Code", "PIN"):
        table.add_column(heading, no_wrap=True)
    for person in people:
        secrets = [str(person.get(key, "")) for key in ("password", "otp", "pin")]
        number = str(person.get("document", {}).get("number", ""))
        table.add_row(f"{person['name']} [dim]{', '.join(person['roles'])}[/dim]", number, *secrets)
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
