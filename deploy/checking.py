"""`test`: lint, types, import contracts and every test, on throwaway servers."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.util import find_spec

import click

from deploy.bootstrap import EXTRAS, SetUpError, add
from deploy.browser import HOW, find_chromium, install_chromium
from deploy.layout import ROOT
from deploy.presentation import console
from matching.executors.java import HOW as HOW_JAVA
from matching.executors.java import java_missing

ALONE = ("tests/concurrency", "tests/system")
TOGETHER = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
"""A file's tests share its servers; in their order, the unit tests, which are short, come last and even out the end."""
IMPORT_LINTER = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@dataclass(frozen=True)
class Step:
    """One check: a name, and the arguments of this Python."""

    name: str
    arguments: list[str]


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(pytest_arguments: tuple[str, ...]) -> None:
    """Run lint, types, import contracts and all tests; with arguments, pytest alone with those."""
    steps = (
        [Step("tests", ["-m", "pytest", *pytest_arguments])]
        if pytest_arguments
        else all_steps(browser=_has_browser(), spark=_has_spark())
    )
    failed = [step.name for step in steps if not run(step)]
    if failed:
        console.print(f"[red]failed: {', '.join(failed)}[/red]")
        sys.exit(1)
    console.print("[green]all passed[/green]")


def all_steps(*, browser: bool, spark: bool) -> list[Step]:
    """Everything, what fails fastest first; what races or starts a whole system has the machine to itself."""
    left_out = [f"not {mark}" for mark, there in (("browser", browser), ("spark", spark)) if not there]
    marks = ["-m", " and ".join(left_out)] if left_out else []
    apart = [f"--ignore={directory}" for directory in ALONE]
    return [
        Step("lint", ["-m", "ruff", "check", "."]),
        Step("types", ["-m", "mypy"]),
        Step("imports", ["-c", IMPORT_LINTER]),
        Step("tests", ["-m", "pytest", "-q", *TOGETHER, *marks, *apart]),
        Step("tests alone", ["-m", "pytest", "-q", *marks, *ALONE]),
    ]


def run(step: Step) -> bool:
    """Run one step with its output shown; True when it passed."""
    console.rule(step.name)
    started = time.monotonic()
    environment = os.environ | {"PYTHONHASHSEED": "0"}  # so that every worker names the tests alike
    code = subprocess.run([sys.executable, *step.arguments], check=False, cwd=ROOT, env=environment).returncode
    console.print(f"{step.name}: {'FAILED' if code else 'passed'} in {time.monotonic() - started:.0f} s")
    return code == 0


def _has_browser() -> bool:
    if find_chromium():
        return True
    console.print("Chromium is missing; trying to install it ...")
    if install_chromium() and find_chromium():
        return True
    console.print(f"[yellow]The browser tests are left out: {HOW} to run them.[/yellow]")
    return False


def _has_spark() -> bool:
    missing = java_missing()
    if not missing and find_spec("pyspark") is None:
        console.print("PySpark is missing; installing it, which takes a minute or two ...")
        missing = _install_spark()
    if missing:
        console.print(f"[yellow]The tests on Spark are left out, {missing}: {HOW_JAVA} to run them.[/yellow]")
    return not missing


def _install_spark() -> str:
    """Why PySpark could not be installed; empty when it is there now."""
    try:
        add(ROOT, EXTRAS[0])
    except (SetUpError, OSError) as error:
        return str(error).splitlines()[0]
    invalidate_caches()
    return "" if find_spec("pyspark") else "PySpark did not arrive"
