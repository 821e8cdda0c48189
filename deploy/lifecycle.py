"""Bringing the whole system up and down: each step once, in order, and what failed said plainly."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from deploy import backing as standing
from deploy import product
from deploy.backing import Backing
from deploy.layout import Layout
from deploy.postgres import ServiceError
from deploy.readiness import end_of, refuse_taken, wait_until_ready
from deploy.supervision import Supervisor
from deploy.vault import read_object, write_object

DEFAULT_PORT = 8000
DEFAULT_POPULATION = 400
SANDBOX_PORTS_ABOVE = 100


@dataclass(frozen=True)
class Options:
    """What `up` was asked for; an omitted population is the one already there."""

    port: int = DEFAULT_PORT
    sandbox: bool = True
    population: int | None = None


@dataclass(frozen=True)
class Voice:
    """How a start tells what it does: a line for each step, and done and total of the load."""

    say: Callable[[str], None]
    progress: Callable[[int, int], None]


@contextlib.contextmanager
def alone(layout: Layout, say: Callable[[str], None]) -> Iterator[None]:
    """Only one process of this checkout starts or stops the system at a time; the others wait."""
    layout.var.mkdir(parents=True, exist_ok=True)
    with (layout.var / "up.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another start or stop is under way; waiting for it ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make_fresh(layout: Layout) -> None:
    """Stop this checkout's system and delete its data, keys included; nothing outside its own directories.

    Raises ServiceError, having deleted nothing, when a database of the caller's would be left without its keys.
    """
    named = standing.named_database(os.environ)
    if named is not None and standing.holds_tables(named):
        raise ServiceError(
            "--fresh would delete the keys of the database in RENHICE_DATABASE_URL, which holds data.\n"
            "Drop and create that database yourself first (it is yours, so it is not done here)."
        )
    Supervisor(layout).shut_down()
    layout.remove_data()


def bring_up(layout: Layout, options: Options, voice: Voice) -> None:
    """Start everything, and return when it is ready and loaded; after a failure nothing is left running.

    Raises ServiceError naming the part at fault.
    """
    layout.make()
    Supervisor(layout).stop_strays()
    refuse_taken({options.port: "the web server"})
    backing = standing.prepare_backing(layout)
    database = standing.fingerprint(backing)
    environment = product.settings(layout, options.port, backing.settings(), sandbox=options.sandbox)
    _refuse_strange_data(backing, environment)
    if options.sandbox:
        _prepare_sandbox(layout, options, voice, environment["RENHICE_BASE_URL"], database)
        refuse_taken(product.sandbox_ports(layout))
        environment = product.settings(layout, options.port, backing.settings(), sandbox=True)
    product.make_keys(layout, environment)
    write_object(layout.environment, environment)
    supervisor = Supervisor(layout)
    try:
        _start(supervisor, options, backing, environment, voice)
        if options.sandbox:
            _load(layout, voice, database)
    except BaseException:
        supervisor.shut_down()
        raise


def _refuse_strange_data(backing: Backing, environment: Mapping[str, str]) -> None:
    """A database sealed with keys that are not here can't be read: stop before anything is written beside it."""
    keys = product.keys_directory(environment)
    named = backing.administration is None
    if named and standing.holds_tables(backing.migration_database) and not any(keys.glob("*.key")):
        raise ServiceError(
            f"The database named by RENHICE_DATABASE_URL holds data, but its keys are not in {keys}.\n"
            "Name their directory in RENHICE_KEYS_DIR, or give an empty database (drop and create it yourself)."
        )


def _prepare_sandbox(layout: Layout, options: Options, voice: Voice, base_url: str, database: str) -> None:
    state = read_object(layout.state)
    if state.get("database", database) != database:
        voice.say("This is another database than last time: the sandbox is made anew")
        shutil.rmtree(layout.var / "sandbox", ignore_errors=True)
        layout.sandbox_file.unlink(missing_ok=True)
        state = {}
    population = options.population or state.get("population", DEFAULT_POPULATION)
    if state.get("population", population) != population:
        raise ServiceError(f"The sandbox holds {state['population']} persons; ./renhice up --fresh makes another one.")
    voice.say(f"Preparing the sandbox ({population} persons)")
    arguments = ["prepare", "--base-url", base_url, "--population", str(population)]
    arguments += ["--port-base", str(options.port + SANDBOX_PORTS_ABOVE), "--out", str(layout.var)]
    _run(layout, [sys.executable, "-m", "sandbox", *arguments], {}, "Preparing the sandbox failed")
    write_object(layout.state, {**state, "database": database, "population": population})


def _start(
    supervisor: Supervisor, options: Options, backing: Backing, environment: Mapping[str, str], voice: Voice
) -> None:
    layout = supervisor.layout
    outside = product.sandbox_programs(layout) if options.sandbox else []
    voice.say("Starting PostgreSQL and Valkey" if backing.programs else "Connecting to PostgreSQL and the broker")
    supervisor.start([*backing.programs, *outside, *product.programs(layout, options.port)], environment)
    standing.make_database(backing)
    voice.say("Bringing the schema up to date")
    _run(layout, [sys.executable, "-m", "alembic", "upgrade", "head"], environment, "The migration failed")
    standing.make_login(backing)
    if outside:
        _import_directory(layout, environment, voice)
    voice.say("Starting the processes")
    for group in ("sandbox", "application") if outside else ("application",):
        supervisor.start_group(group)
    ports = product.sandbox_ports(layout) if outside else {}
    wait_until_ready(supervisor, f"http://127.0.0.1:{options.port}", ports)


def _import_directory(layout: Layout, environment: Mapping[str, str], voice: Voice) -> None:
    voice.say("Importing the directory of establishments, record systems and people")
    directory = str(layout.var / "sandbox" / "directory.json")
    command = [sys.executable, "-m", "deploy", "directory", "import", directory]
    _run(layout, command, environment, "Importing the directory failed")


def _load(layout: Layout, voice: Voice, database: str) -> None:
    state = read_object(layout.state)
    if state.get("loaded") == database:
        return
    voice.say("Establishments register their patients through the public API")
    command = [sys.executable, "-m", "sandbox", "load", "--out", str(layout.var)]
    told = layout.logs / "sandbox-load.log"
    with (
        told.open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=layout.root, env=_outside(layout)) as load,
    ):
        try:
            for line in load.stdout or ():
                _report(line, voice)
        except BaseException:
            load.terminate()
            raise
    if load.returncode != 0:
        raise ServiceError(f"Loading the population failed (exit {load.returncode}). {end_of(told)}")
    write_object(layout.state, {**state, "loaded": database})


def _report(line: bytes, voice: Voice) -> None:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        progress = json.loads(line)
        voice.progress(int(progress["done"]), int(progress["total"]))


def _outside(layout: Layout) -> dict[str, str]:
    """The environment of the outside world: it knows none of the product's settings."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith("RENHICE_")}
    return {**theirs, "PYTHONPATH": str(layout.root)}


def _run(layout: Layout, command: list[str], settings: Mapping[str, str], failure: str) -> None:
    environment = {**_outside(layout), **settings}
    done = subprocess.run(command, check=False, cwd=layout.root, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise ServiceError("\n".join([f"{failure} (exit {done.returncode}):", *said]))
