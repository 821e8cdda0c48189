"""`test`: lint, types, import contracts and every test, on throwaway servers."""

import subprocess
import sys
import time
from dataclasses import dataclass

import click

from deploy.browser import HOW, find_chromium, install_chromium
from deploy.layout import ROOT
from deploy.presentation import console

NOTHING_COLLECTED = 5
IMPORT_LINTER = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@dataclass(frozen=True)
class Step:
    """One check: a name, and the arguments of this Python."""

    name: str
    arguments: list[str]
    may_be_empty: bool = False


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(pytest_arguments: tuple[str, ...]) -> None:
    """Run lint, types, import contracts and all tests; with arguments, pytest alone with those."""
    steps = (
        [Step("tests", ["-m", "pytest", *pytest_arguments])] if pytest_arguments else all_steps(browser=_has_browser())
    )
    failed = [step.name for step in steps if not run(step)]
    if failed:
        console.print(f"[red]failed: {', '.join(failed)}[/red]")
        sys.exit(1)
    console.print("[green]all passed[/green]")


def all_steps(*, browser: bool) -> list[Step]:
    """Everything, in the order in which it is quickest to fail; those that kill or race run alone."""
    without = "" if browser else " and not browser"
    return [
        Step("lint", ["-m", "ruff", "check", "."]),
        Step("types", ["-m", "mypy"]),
        Step("imports", ["-c", IMPORT_LINTER]),
        Step("tests", ["-m", "pytest", "-q", "-n", "2", "-m", f"not crash{without}", "--ignore", "tests/concurrency"]),
        Step(
            "concurrency", ["-m", "pytest", "-q", "-m", f"not crash{without}", "tests/concurrency"], may_be_empty=True
        ),
        Step("crash", ["-m", "pytest", "-q", "-m", "crash"], may_be_empty=True),
    ]


def run(step: Step) -> bool:
    """Run one step with its output shown; True when it passed."""
    console.rule(step.name)
    started = time.monotonic()
    code = subprocess.run([sys.executable, *step.arguments], check=False, cwd=ROOT).returncode
    passed = code == 0 or (step.may_be_empty and code == NOTHING_COLLECTED)
    console.print(f"{step.name}: {'passed' if passed else 'FAILED'} in {time.monotonic() - started:.0f} s")
    return passed


def _has_browser() -> bool:
    if find_chromium():
        return True
    console.print("Chromium is missing; trying to install it ...")
    if install_chromium() and find_chromium():
        return True
    console.print(f"[yellow]The browser tests are left out: {HOW} to run them.[/yellow]")
    return False
