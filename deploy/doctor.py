"""`doctor`: what the system needs of this machine, what is amiss, and how to mend it."""

import sys
from collections.abc import Callable, Iterable

import click
from rich.table import Table

from deploy import machine_checks, service_checks
from deploy.findings import Finding
from deploy.layout import Layout
from deploy.presentation import console

COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}
CHECKS: tuple[Callable[[Layout], Iterable[Finding]], ...] = (
    machine_checks.check_python,
    machine_checks.check_room,
    machine_checks.check_permissions,
    machine_checks.check_ports,
    machine_checks.check_clock,
    machine_checks.check_browser,
    service_checks.check_database,
    service_checks.check_broker,
    service_checks.check_queues,
    service_checks.check_backlog,
    service_checks.check_keys,
    service_checks.check_accounts,
    service_checks.check_processes,
)


@click.command()
def doctor() -> None:
    """Check the environment and say how to mend it; exits 1 when something is broken."""
    findings = [finding for check in CHECKS for finding in check(Layout())]
    table = Table("", "Subject", "Seen", "To do")
    for finding in findings:
        colour = COLOURS[finding.verdict]
        table.add_row(f"[{colour}]{finding.verdict}[/{colour}]", finding.subject, finding.seen, finding.mend)
    console.print(table)
    sys.exit(any(finding.verdict == "broken" for finding in findings))
