"""Real PostgreSQL and Valkey for every test that asks for them; one migrated database a run, one copy a module."""

import gc
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from alembic import command
from alembic.config import Config
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from deploy.postgres import drop_database
from deploy.services import ephemeral_postgres, ephemeral_valkey
from registry.app import Renhice
from registry.database import Database
from registry.settings import Settings
from wsgi import create_app

ROOT = Path(__file__).parent.parent
MEMORY, PLENTY = Path("/dev/shm"), 4 << 30
hypothesis.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.load_profile("any machine")  # a law holds or not; how busy the machine is says nothing of it

_compile_builder = Rule._compile_builder
_builders: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}


def _compile_builder_once(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """What builds a route's addresses depends on its text alone; werkzeug compiles it for every application anew."""
    if self.defaults:
        return _compile_builder(self, append_unknown)
    key = (tuple(self._trace), append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(self, append_unknown)
    return _builders[key]


Rule._compile_builder = _compile_builder_once


def pytest_collection_finish() -> None:
    """What was loaded stays to the end: no collection of garbage need look at it again."""
    gc.collect()
    gc.freeze()


def migrate(url: str, revision: str = "head") -> None:
    """Bring a database to a revision with the product's own migrations."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, revision)


def _plenty_of_memory() -> bool:
    there = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > PLENTY
    return there and psutil.virtual_memory().available > PLENTY


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The owner's URL of an empty database on a throwaway server.

    In memory where there is plenty: each copy of the database is seven hundred files, and they are dear on a disk.
    """
    home = MEMORY if _plenty_of_memory() else tmp_path_factory.mktemp("postgres")
    with ephemeral_postgres(home) as url:
        yield url


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A throwaway Valkey."""
    with ephemeral_valkey(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture(scope="session")
def template_url(server_url: str) -> str:
    """A migrated database that others are copied from."""
    migrate(server_url)
    return server_url


@pytest.fixture(scope="module")
def database_url(template_url: str) -> Iterator[str]:
    """A migrated, empty database of this test module."""
    template = make_url(template_url)
    name = f"renhice_copy_{secrets.token_hex(6)}"
    admin = create_engine(template.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template.database}"'))
    yield template.set(database=name).render_as_string(hide_password=False)
    drop_database(admin.url, name)
    admin.dispose()


@pytest.fixture(scope="module")
def host() -> str:
    """The name a served product is reached by."""
    return "127.0.0.1"


@pytest.fixture(scope="module")
def settings(database_url: str, broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of this module: its own database and keys."""
    return Settings(
        environment="test",
        base_url="http://127.0.0.1:8000",
        database_url=database_url,
        broker_url=broker_url,
        keys_dir=tmp_path_factory.mktemp("keys"),
        log_level="WARNING",
    )


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    """The whole product on a database of its own."""
    application = create_app(settings)
    application.testing = False
    yield application
    parts: Renhice = application.extensions["renhice"]
    parts.database.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browserless HTTP client of the product."""
    return app.test_client()


@pytest.fixture(scope="module")
def renhice(app: Flask) -> Renhice:
    """The shared parts: settings, database, sealer, celery."""
    parts: Renhice = app.extensions["renhice"]
    return parts


@pytest.fixture
def session(renhice: Renhice) -> Iterator[Session]:
    """A unit of work whose changes are undone after the test; commits inside become savepoints."""
    with renhice.database.engine.connect() as connection:
        outer = connection.begin()
        database = Database(renhice.database.engine)
        work = database.begin()
        work.session.bind = connection
        work.session.join_transaction_mode = "create_savepoint"
        yield work.session
        work.close()
        outer.rollback()


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the machine never leak into a test, except the servers it may run on."""
    for name in [key for key in os.environ if key.startswith("RENHICE_")]:
        if name not in {"RENHICE_DATABASE_URL", "RENHICE_BROKER_URL", "RENHICE_EXTERNAL_TESTS"}:
            monkeypatch.delenv(name)
