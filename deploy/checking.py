"""`test`: lint, types, import contracts and every test, on throwaway servers."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import IO

import click

from deploy.bootstrap import EXTRAS, SetUpError, add
from deploy.browser import HOW, find_chromium, install_chromium
from deploy.layout import ROOT
from deploy.presentation import console
from matching.executors.java import HOW as HOW_JAVA
from matching.executors.java import java_missing

APART = RACES, SYSTEMS = ("tests/concurrency", "tests/system")
TOGETHER = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
"""A file's tests share its servers; in their order, the unit tests, which are short, come last and even out the end."""
IMPORT_LINTER = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@dataclass(frozen=True)
class Step:
    """One check: a name, the arguments of this Python, and whether it leaves a processor to the steps after it."""

    name: str
    arguments: list[str]
    aside: bool = False


@dataclass(frozen=True)
class Running:
    """A step that was started; what runs aside says into a file what it has to say."""

    step: Step
    process: "subprocess.Popen[bytes]"
    started: float
    said: IO[bytes] | None


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(pytest_arguments: tuple[str, ...]) -> None:
    """Run lint, types, import contracts and all tests; with arguments, pytest alone with those."""
    steps = (
        [Step("tests", ["-m", "pytest", *pytest_arguments])]
        if pytest_arguments
        else all_steps(browser=_has_browser(), spark=_has_spark())
    )
    failed = run_all(steps)
    if failed:
        console.print(f"[red]failed: {', '.join(failed)}[/red]")
        sys.exit(1)
    console.print("[green]all passed[/green]")


def all_steps(*, browser: bool, spark: bool) -> list[Step]:
    """Everything, what fails fastest first.

    What races or starts a whole system is kept from the other tests, which take all there is. A whole system waits more
    than it computes: what one processor is enough for runs aside of it.
    """
    left_out = [f"not {mark}" for mark, there in (("browser", browser), ("spark", spark)) if not there]
    marks = ["-m", " and ".join(left_out)] if left_out else []
    apart = [f"--ignore={directory}" for directory in APART]
    return [
        Step("lint", ["-m", "ruff", "check", "."]),
        Step("imports", ["-c", IMPORT_LINTER]),
        Step("types", ["-m", "mypy"], aside=True),
        Step("tests of races", ["-m", "pytest", "-q", *marks, RACES], aside=True),
        Step("tests of systems", ["-m", "pytest", "-q", *marks, SYSTEMS]),
        Step("tests", ["-m", "pytest", "-q", *TOGETHER, *marks, *apart]),
    ]


def run_all(steps: Iterable[Step]) -> list[str]:
    """Run the steps and return the names of those that failed; what runs aside ends with the next that does not."""
    failed, aside = [], []
    for step in steps:
        running = start(step)
        if step.aside:
            aside.append(running)
            continue
        failed += [ended.step.name for ended in (running, *aside) if not finish(ended)]
        aside = []
    return failed + [ended.step.name for ended in aside if not finish(ended)]


def start(step: Step) -> Running:
    """Start a step, its output shown unless it runs aside."""
    # so that every worker names the tests alike, and that no process compiles what another has compiled
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    said = TemporaryFile() if step.aside else None  # noqa: SIM115  # `finish` closes it
    if not step.aside:
        console.rule(step.name)
    process = subprocess.Popen(
        [sys.executable, *step.arguments],
        cwd=ROOT,
        env=environment,
        stdout=said,
        stderr=subprocess.STDOUT if said else None,
    )
    return Running(step, process, time.monotonic(), said)


def finish(running: Running) -> bool:
    """Wait for a step, and show what it said if it ran aside; True when it passed."""
    code = running.process.wait()
    seconds = time.monotonic() - running.started
    if running.said is not None:
        console.rule(running.step.name)
        with running.said as said:
            said.seek(0)
            sys.stdout.write(said.read().decode(errors="replace"))
    console.print(f"{running.step.name}: {'FAILED' if code else 'passed'} in {seconds:.0f} s")
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
