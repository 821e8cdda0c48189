"""Checks of what the system stands on: PostgreSQL, the broker, keys, and the processes of a running system."""

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import redis
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from deploy import backing, postgres, product, valkey
from deploy.account import application_account, database_account
from deploy.findings import Finding, judge
from deploy.layout import Layout
from deploy.postgres import ServiceError
from deploy.readiness import is_ready
from deploy.supervision import Supervisor
from deploy.vault import read_object
from registry.database import APP_ROLE, now
from registry.outbox import backlog
from registry.worker import MOST_WAITING, count_waiting

LATEST = timedelta(minutes=5)
SIZES = """
(SELECT 'database', pg_size_pretty(pg_database_size(current_database())))
UNION ALL
(SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class
 WHERE relkind = 'r' ORDER BY pg_total_relation_size(oid) DESC LIMIT 3)
"""
DATABASE_VARIABLES = ("RENHICE_MIGRATION_DATABASE_URL", "RENHICE_DATABASE_URL")


def check_database(layout: Layout) -> Iterator[Finding]:
    """PostgreSQL 15 or newer answers, with rights enough; or the embedded one can be started."""
    settings = _settings(layout)
    variable = next((name for name in DATABASE_VARIABLES if settings.get(name)), None)
    if variable is None:
        yield _runs("PostgreSQL", lambda: postgres.find_programs(database_account()) / "bin" / "postgres")
        return
    try:
        with postgres.connect(backing.parse_url(variable, settings[variable])) as connection:
            version = connection.info.server_version
            rights = connection.execute(
                "SELECT rolsuper OR rolcreaterole OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'renhice_app') "
                "FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except (ServiceError, psycopg.Error) as error:
        yield Finding("PostgreSQL", "broken", str(error).strip(), f"start the server, or correct {variable}")
        return
    fine = version >= backing.OLDEST_POSTGRESQL
    yield judge("PostgreSQL", f"{version // 10000}.{version % 10000}", fine=fine, mend="use PostgreSQL 15 or newer")
    mend = "ALTER ROLE ... CREATEROLE for the owner, or create the role renhice_app beforehand"
    yield judge("Database owner", "may create the role renhice_app", fine=bool(rights and rights[0]), mend=mend)


def check_broker(layout: Layout) -> Iterator[Finding]:
    """The broker answers, or the embedded one can be started."""
    url = _settings(layout).get("RENHICE_BROKER_URL")
    if url is None:
        yield _runs("Valkey", valkey.find_program)
    elif not url.startswith("redis"):
        yield Finding("Broker", "note", "not a Redis: not looked at")
    else:
        yield _redis(url)


def _redis(url: str) -> Finding:
    mend = "start the broker, or correct RENHICE_BROKER_URL"
    try:
        with redis.Redis.from_url(url.replace("redis+socket://", "unix://"), socket_connect_timeout=3) as client:
            information = client.info("server")
    except (redis.RedisError, ValueError) as error:
        return Finding("Broker", "broken", str(error), mend)
    seen = str(information) if not isinstance(information, dict) else f"{information.get('redis_version')} compatible"
    return Finding("Broker", "ok", seen)


def check_queues(layout: Layout) -> Iterator[Finding]:
    """Somebody takes the tasks of each queue: without a worker for `bulk` files of patients stand still in silence."""
    for queue, number in count_waiting(_settings(layout).get("RENHICE_BROKER_URL", "")).items():
        mend = f"start a worker with --queues {queue}: see operations.md"
        yield judge(f"Queue {queue}", f"{number} tasks wait", fine=number <= MOST_WAITING, mend=mend)


def check_backlog(layout: Layout) -> Iterator[Finding]:
    """What follows a commit goes on, nothing of it was given up; and how large the database has become."""
    url = _settings(layout).get("RENHICE_DATABASE_URL")
    if url is None:
        return
    engine = create_engine(backing.parse_url("RENHICE_DATABASE_URL", url), poolclass=NullPool)
    try:
        with Session(engine) as session:
            session.execute(text(f"SET ROLE {APP_ROLE}"))
            found, sizes = backlog(session), session.execute(text(SIZES)).all()
    except SQLAlchemyError:  # it does not answer, as another check says, or holds nothing yet
        return
    waiting, records, given_up = found["waiting"], found["records"], found["given-up"]
    late = waiting.oldest is not None and now() - waiting.oldest > LATEST
    seen = f"waiting: {waiting.count:,}; of records, behind all else: {records.count:,}"
    yield judge("Outbox", seen, fine=not late, mend=f"is the worker running? See {layout.logs / 'worker.log'}")
    if given_up.count:
        mend = "mend what last_error in the table outbox names, then try them again: see operations.md"
        yield Finding("Outbox", "broken", f"given up: {given_up.count:,}", mend)
    yield Finding("Size", "ok", ", ".join(f"{name} {size}" for name, size in sizes))


def check_keys(layout: Layout) -> Iterator[Finding]:
    """Master and blind keys exist; without them nothing that was sealed can be read."""
    settings = _settings(layout)
    directory = Path(settings.get("RENHICE_KEYS_DIR") or layout.secrets / "keys")
    missing = [name for name in ("blind.key", "master-*.key") if not any(directory.glob(name))]
    if missing and not layout.environment.exists():
        yield Finding("Keys", "note", "made at the first ./renhice up")
        return
    seen = f"missing: {', '.join(missing)}" if missing else str(directory)
    mend = f"bring them back from the backup to {directory}, or name their directory in RENHICE_KEYS_DIR"
    yield judge("Keys", seen, fine=not missing, mend=mend)


def check_accounts(layout: Layout) -> Iterator[Finding]:
    """When root starts the system: who its parts run as."""
    if os.geteuid() != 0:
        return
    directory = Path(_settings(layout).get("RENHICE_KEYS_DIR") or layout.secrets / "keys")
    account, wanted = product.account_for(layout, directory), application_account()
    if account.drop:
        yield Finding("Accounts", "ok", f"web, worker and beat: {account.name}; PostgreSQL: {database_account().name}")
        return
    mend = "start as an ordinary user; or a checkout and a Python outside root's home (RENHICE_PYTHON), without .venv"
    yield Finding("Accounts", "note", f"web and worker run as root: {wanted.name} can't read what they need", mend)


def check_processes(layout: Layout) -> Iterator[Finding]:
    """When the system runs: every process runs, and the product says it is ready."""
    processes = Supervisor(layout).processes()
    if not processes:
        yield Finding("Processes", "note", "not running", "./renhice up")
        return
    down = [f"{process.name} {process.state}" for process in processes if process.state != "RUNNING"]
    yield judge("Processes", ", ".join(down) or "all running", fine=not down, mend=f"see the logs in {layout.logs}")
    ready = is_ready(str(_settings(layout).get("RENHICE_BASE_URL")))
    yield judge("Readiness", "ready" if ready else "not ready", fine=ready, mend=f"see {layout.logs / 'web.log'}")


def _settings(layout: Layout) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name.startswith("RENHICE_")}
    running = read_object(layout.environment) if Supervisor(layout).running() else {}
    return {**running, **given}


def _runs(subject: str, find: Callable[[], Path]) -> Finding:
    mend = "remove .venv and run ./renhice again; or name a server (RENHICE_DATABASE_URL, RENHICE_BROKER_URL)"
    try:
        done = subprocess.run([str(find()), "--version"], check=True, capture_output=True, text=True)
    except (ServiceError, OSError, RuntimeError, subprocess.CalledProcessError) as error:
        return Finding(subject, "broken", str(error), mend)
    return Finding(subject, "ok", f"embedded: {done.stdout.strip()}")
