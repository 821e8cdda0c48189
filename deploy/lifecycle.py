"""Bringing the whole system up and down: each step once, in order, and what failed said plainly."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from alembic import command as migrations
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from deploy import backing as standing
from deploy import outside, product
from deploy.backing import Backing
from deploy.layout import Layout
from deploy.outside import Voice
from deploy.postgres import ServiceError
from deploy.readiness import refuse_taken, wait_until_ready
from deploy.supervision import Supervisor
from deploy.vault import write_object
from matching.key_scheme import key_scheme

DEFAULT_PORT = 8000
SANDBOX_PORTS_ABOVE = 100


@dataclass(frozen=True)
class Options:
    """What `up` was asked for; an omitted population is the one already there."""

    port: int = DEFAULT_PORT
    sandbox: bool = True
    population: int | None = None


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
        plan = outside.Plan(options.port + SANDBOX_PORTS_ABOVE, options.population, environment["RENHICE_BASE_URL"])
        outside.prepare(layout, plan, voice, database)
        refuse_taken(product.sandbox_ports(layout))
        environment = product.settings(layout, options.port, backing.settings(), sandbox=True)
    refuse_taken(product.mllp_ports(environment))
    product.make_keys(layout, environment)
    product.hand_over(layout, product.keys_directory(environment))
    write_object(layout.environment, environment)
    supervisor = Supervisor(layout)
    try:
        _start(supervisor, options, backing, environment, voice)
        if options.sandbox:
            outside.load(layout, voice, database)
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


def _start(
    supervisor: Supervisor, options: Options, backing: Backing, environment: Mapping[str, str], voice: Voice
) -> None:
    layout = supervisor.layout
    others = product.sandbox_programs(layout) if options.sandbox else []
    voice.say("Starting PostgreSQL and Valkey" if backing.programs else "Connecting to PostgreSQL and the broker")
    account = product.account_for(layout, product.keys_directory(environment))
    ours = product.programs(layout, options.port, account, hl7v2=bool(environment.get("RENHICE_MLLP_PORT")))
    supervisor.start([*backing.programs, *others, *ours], {**environment, **product.counting(layout)})
    if others:
        supervisor.start_group("sandbox")
    standing.make_database(backing)
    voice.say("Bringing the schema up to date")
    _migrate(layout, backing)
    standing.make_login(backing)
    _rekey(layout, backing, environment, voice)
    if others:
        outside.import_directory(layout, environment, voice, standing.fingerprint(backing))
    voice.say("Starting the processes")
    supervisor.start_group("application")
    ports = (product.sandbox_ports(layout) if others else {}) | product.mllp_ports(environment)
    wait_until_ready(supervisor, f"http://127.0.0.1:{options.port}", ports)


def _migrate(layout: Layout, backing: Backing) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", str(layout.root / "migrations").replace("%", "%%"))
    url = standing.text(backing.migration_database)
    configuration.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    try:
        migrations.upgrade(configuration, "head")
    except (CommandError, SQLAlchemyError) as error:
        raise ServiceError(f"The migration failed: {error}") from error


def _rekey(layout: Layout, backing: Backing, environment: Mapping[str, str], voice: Voice) -> None:
    """Let the index go by this version's blocking keys, before any process of this version serves."""
    if standing.goes_by(backing.migration_database, key_scheme()):
        return
    voice.say("Indexing the records by this version's keys")
    command = [sys.executable, "-m", "deploy", "identity", "rekey", "--drop-former"]
    outside.run(layout, command, environment, "Indexing failed")
