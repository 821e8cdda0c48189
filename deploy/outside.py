"""The outside world of a sandbox: prepared, made known to the directory, and told to register its patients."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.layout import Layout
from deploy.postgres import ServiceError
from deploy.readiness import end_of
from deploy.vault import read_object, write_object

DEFAULT_POPULATION = 400


@dataclass(frozen=True)
class Voice:
    """How a start tells what it does: a line for each step, and done and total of the load."""

    say: Callable[[str], None]
    progress: Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """What to prepare: the first port, how many persons (what is there, or 400), and where the registry will be."""

    port_base: int
    population: int | None
    base_url: str


def prepare(layout: Layout, plan: Plan, voice: Voice, database: str) -> None:
    """Write the sandbox's files; made anew when `database` is another one than last time.

    Raises ServiceError when another population is there already.
    """
    state = read_object(layout.state)
    if state.get("database", database) != database:
        voice.say("This is another database than last time: the sandbox is made anew")
        shutil.rmtree(layout.var / "sandbox", ignore_errors=True)
        layout.sandbox_file.unlink(missing_ok=True)
        state = {}
    population = plan.population or state.get("population", DEFAULT_POPULATION)
    if state.get("population", population) != population:
        raise ServiceError(f"The sandbox holds {state['population']} persons; ./renhice up --fresh makes another one.")
    voice.say(f"Preparing the sandbox ({population} persons)")
    arguments = ["prepare", "--base-url", plan.base_url, "--population", str(population)]
    arguments += ["--port-base", str(plan.port_base), "--out", str(layout.var)]
    run(layout, [sys.executable, "-m", "sandbox", *arguments], {}, "Preparing the sandbox failed")
    write_object(layout.state, {**state, "database": database, "population": population})


def import_directory(layout: Layout, settings: Mapping[str, str], voice: Voice, database: str) -> None:
    """Import establishments, record systems and people as an administrator would, unless they are there already.

    Raises ServiceError with what the command said.
    """
    path = layout.var / "sandbox" / "directory.json"
    content = f"{database} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    state = read_object(layout.state)
    if state.get("directory") == content:
        return
    voice.say("Importing the directory of establishments, record systems and people")
    command = [sys.executable, "-m", "deploy", "directory", "import", str(path)]
    run(layout, command, settings, "Importing the directory failed")
    write_object(layout.state, {**state, "directory": content})


def load(layout: Layout, voice: Voice, database: str) -> None:
    """Have the establishments register their patients through the public API, once for each database.

    Raises ServiceError with the end of what the loader said.
    """
    state = read_object(layout.state)
    if state.get("loaded") == database:
        return
    voice.say("Establishments register their patients through the public API")
    log = layout.logs / "sandbox-load.log"
    code = _follow(layout, [sys.executable, "-m", "sandbox", "load", "--out", str(layout.var)], log, voice)
    if code != 0:
        raise ServiceError(f"Loading the population failed (exit {code}). {end_of(log)}")
    write_object(layout.state, {**state, "loaded": database})


def _follow(layout: Layout, command: list[str], log: Path, voice: Voice) -> int:
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, cwd=layout.root, env=_environment(layout)
        ) as child,
    ):
        try:
            for line in child.stdout or ():
                _report(line, voice)
        except BaseException:
            child.terminate()
            raise
    return child.returncode


def _report(line: bytes, voice: Voice) -> None:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        progress = json.loads(line)
        voice.progress(int(progress["done"]), int(progress["total"]))


def _environment(layout: Layout) -> dict[str, str]:
    """The environment of the outside world: it knows none of the product's settings."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("RENHICE_")}
    return {**theirs, "PYTHONPATH": str(layout.root)}


def run(layout: Layout, command: list[str], settings: Mapping[str, str], failure: str) -> None:
    """Run a command of this checkout to its end; raises ServiceError with what it said last."""
    environment = {**_environment(layout), **settings}
    done = subprocess.run(command, check=False, cwd=layout.root, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise ServiceError("\n".join([f"{failure} (exit {done.returncode}):", *said]))
