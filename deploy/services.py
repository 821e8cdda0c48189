"""Throwaway PostgreSQL and Valkey for tests: real ones that end with them, or those the environment names."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import make_url

from deploy import postgres, valkey
from deploy.account import Account, database_account, scratch_directory

DATABASE = "renhice"


@contextlib.contextmanager
def ephemeral_postgres(
    directory: Path | None = None, settings: Mapping[str, str] = postgres.THROWAWAY
) -> Iterator[str]:
    """A SQLAlchemy URL of the superuser of an empty database on a server that ends with the context.

    With RENHICE_DATABASE_URL set, the database is made on that server instead, and dropped. `directory` is a
    wish: another is taken where the database's account can't reach it or a socket's path would be too long.
    """
    named = os.environ.get("RENHICE_DATABASE_URL")
    if named:
        with ephemeral_database(named) as url:
            yield url
        return
    account = database_account()
    home = scratch_directory(account, directory)
    try:
        with _server(home, account, settings) as url:
            yield url
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _server(home: Path, account: Account, settings: Mapping[str, str]) -> Iterator[str]:
    cluster = postgres.Cluster(home, home, account, postgres.find_programs(account))
    password = secrets.token_urlsafe(24)
    postgres.create_cluster(cluster, password, settings)
    server = postgres.start(cluster)
    try:
        administration = cluster.url(postgres.SUPERUSER, password, "postgres")
        postgres.wait_for(administration)
        postgres.create_database(administration, DATABASE)
        yield administration.set(database=DATABASE).render_as_string(hide_password=False)
    finally:
        postgres.stop(server)


@contextlib.contextmanager
def ephemeral_database(server_url: str) -> Iterator[str]:
    """The URL of a new, empty database on the server of `server_url`; dropped with the context."""
    server = make_url(server_url).set(drivername="postgresql+psycopg")
    name = f"renhice_test_{secrets.token_hex(6)}"
    postgres.create_database(server, name)
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        postgres.drop_database(server, name)


@contextlib.contextmanager
def ephemeral_valkey(directory: Path | None = None) -> Iterator[str]:
    """A broker URL that ends with the context; with RENHICE_BROKER_URL set, database 15 of that server."""
    named = os.environ.get("RENHICE_BROKER_URL")
    if named:
        url = make_url(named)
        separate = url.set(database="15") if url.drivername == "redis" else url
        yield separate.render_as_string(hide_password=False)
        return
    password, port = secrets.token_urlsafe(24), valkey.free_port()
    caller = Account("caller", os.geteuid(), os.getegid(), drop=False)
    home = scratch_directory(caller, directory)
    server = valkey.start(valkey.configure(home, port, password, durable=False))
    try:
        valkey.wait_for(valkey.broker_url(port, password))
        yield valkey.broker_url(port, password)
    finally:
        server.terminate()
        server.wait(timeout=10)
        shutil.rmtree(home, ignore_errors=True)
