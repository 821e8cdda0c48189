"""The database and the broker the system stands on: embedded under `var/`, or the ones the environment names."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection, sql
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from deploy import postgres, valkey
from deploy.account import database_account
from deploy.layout import Layout
from deploy.postgres import ServiceError
from deploy.supervision import Program
from deploy.vault import password

DATABASE = "renhice"
OWNER = "renhice_owner"
LOGIN = "renhice_login"
APPLICATION_ROLE = "renhice_app"
OLDEST_POSTGRESQL = 150000


@dataclass(frozen=True)
class Backing:
    """What the processes connect to, and the programs that serve it (none when the environment named it)."""

    database: URL
    migration_database: URL
    broker: str
    administration: URL | None
    programs: tuple[Program, ...]

    def settings(self) -> dict[str, str]:
        """The product's settings for it; the owner's password is for migrations and stays out of its processes."""
        return {
            "RENHICE_DATABASE_URL": text(self.database),
            "RENHICE_BROKER_URL": self.broker,
        }


def prepare_backing(layout: Layout, named: Mapping[str, str] = os.environ) -> Backing:
    """Decide what to stand on, and make what is missing; nothing is started.

    Raises ServiceError when a URL in the environment is not usable as one, or a cluster can't be made.
    """
    programs: list[Program] = []
    if owner := named_database(named):
        database, administration = parse_url("RENHICE_DATABASE_URL", named["RENHICE_DATABASE_URL"]), None
    else:
        database, owner, administration = _embed_postgres(layout, programs)
    broker = named.get("RENHICE_BROKER_URL") or _embed_valkey(layout, programs)
    return Backing(database, owner, broker, administration, tuple(programs))


def named_database(environment: Mapping[str, str]) -> URL | None:
    """The owner's URL of the database that `environment` names, if it names one; ServiceError if it is none."""
    for variable in ("RENHICE_MIGRATION_DATABASE_URL", "RENHICE_DATABASE_URL"):
        if environment.get("RENHICE_DATABASE_URL") and environment.get(variable):
            return parse_url(variable, environment[variable])
    return None


def text(url: URL) -> str:
    """The URL with its password, to be written where only its owner reads."""
    return url.render_as_string(hide_password=False)


def parse_url(variable: str, value: str) -> URL:
    """The URL in `value` with the driver the product uses; raises ServiceError naming `variable`."""
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        url = URL.create("invalid")
    if url.get_backend_name() not in {"postgresql", "postgres"} or not url.database:
        raise ServiceError(f"{variable} must look like postgresql://user:password@host/database")
    return url.set(drivername="postgresql+psycopg")


def _embed_postgres(layout: Layout, programs: list[Program]) -> tuple[URL, URL, URL]:
    account = database_account()
    home, sockets = layout.home("postgres", account), layout.sockets("postgres", account)
    cluster = postgres.Cluster(home, sockets, account, postgres.find_programs(account))
    if not (layout.secrets / "postgres-superuser").exists():
        _set_aside(layout, home)
    superuser = password(layout.secrets, "postgres-superuser")
    postgres.create_cluster(cluster, superuser, postgres.DURABLE)
    account.let_through(sockets)
    programs.append(
        Program(
            "postgresql",
            cluster.command(),
            "services",
            user=account.name if account.drop else None,
            stop_signal="INT",
            stop_seconds=30,
        )
    )
    login = cluster.url(LOGIN, password(layout.secrets, "postgres-login"), DATABASE)
    owner = cluster.url(OWNER, password(layout.secrets, "postgres-owner"), DATABASE)
    return login, owner, cluster.url(postgres.SUPERUSER, superuser, "postgres")


def _set_aside(layout: Layout, home: Path) -> None:
    """Data without passwords: a deleted checkout of this path left those outside `var/`; those inside are missed."""
    if home.is_relative_to(layout.var) and home.exists():
        raise ServiceError(f"{layout.secrets} has lost its files: bring them back, or begin anew with --fresh")
    shutil.rmtree(home, ignore_errors=True)


def _embed_valkey(layout: Layout, programs: list[Program]) -> str:
    secret, port = password(layout.secrets, "valkey"), valkey.free_port()
    configuration = valkey.configure(layout.var / "valkey", port, secret, durable=True)
    programs.append(Program("valkey", valkey.command(configuration), "services"))
    return valkey.broker_url(port, secret)


def make_database(backing: Backing) -> None:
    """Wait for both services; on the embedded server make the owner and its database.

    Raises ServiceError when one does not answer or PostgreSQL is older than 15.
    """
    if backing.administration is not None:
        postgres.wait_for(backing.administration)
        with postgres.connect(backing.administration) as connection:
            _make_role(connection, OWNER, backing.migration_database, sql.SQL("LOGIN CREATEROLE"))
        postgres.create_database(backing.administration, DATABASE, OWNER)
    postgres.wait_for(backing.migration_database, seconds=5)
    if not backing.broker.startswith("amqp"):
        valkey.wait_for(backing.broker, seconds=10)
    with postgres.connect(backing.migration_database) as connection:
        if connection.info.server_version < OLDEST_POSTGRESQL:
            raise ServiceError(f"PostgreSQL 15 or newer is needed; this server is {connection.info.server_version}")


def make_login(backing: Backing) -> None:
    """On the embedded server: the application's login, a member of the application's role and of nothing else."""
    if backing.administration is None:
        return
    with postgres.connect(backing.administration) as connection:
        _make_role(connection, LOGIN, backing.database, sql.SQL("LOGIN NOINHERIT"))
        connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(APPLICATION_ROLE), sql.Identifier(LOGIN)))


def _make_role(connection: Connection, name: str, url: URL, attributes: sql.SQL) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    verb = sql.SQL("ALTER ROLE" if exists else "CREATE ROLE")
    scrambled = connection.pgconn.encrypt_password(str(url.password).encode(), name.encode(), b"scram-sha-256")
    statement = sql.SQL("{} {} {} PASSWORD {}")
    connection.execute(statement.format(verb, sql.Identifier(name), attributes, sql.Literal(scrambled.decode())))


def fingerprint(backing: Backing) -> str:
    """Which database this is: another one, or one of the same name made anew, has another fingerprint.

    Raises ServiceError when a named database does not answer; the embedded one is known by its directory.
    """
    if backing.administration is not None:
        return "embedded"
    url = backing.migration_database
    postgres.wait_for(url, seconds=5)
    with postgres.connect(url) as connection:
        row = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    place = f"{url.host}:{url.port}/{url.database}?{sorted(url.query.items())}#{row}"
    return hashlib.sha256(place.encode()).hexdigest()[:16]


def holds_tables(owner: URL) -> bool:
    """Whether the schema was ever migrated; ServiceError when the server does not answer."""
    postgres.wait_for(owner, seconds=5)
    with postgres.connect(owner) as connection:
        row = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    return bool(row and row[0])


def goes_by(owner: URL, scheme: int) -> bool:
    """Whether the index of a migrated database goes by those blocking keys."""
    with postgres.connect(owner) as connection:
        row = connection.execute("SELECT scheme FROM blocking_schemes WHERE ended_at IS NULL").fetchone()
    return bool(row and row[0] == scheme)
