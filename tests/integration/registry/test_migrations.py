"""Migrations: numbered, one head, true to the models, reversible, and safe to run twice at once."""

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from deploy.services import ephemeral_database
from matching.blocking import ENOUGH, worth
from migrations.targets import ROOMS, metadata
from registry.database import new_id
from registry.identity.engine import BLOCKING_DOMAIN, blind_keys
from registry.sealing import FileMasterKeys, Sealer
from tests.conftest import ROOT, migrate

MIGRATE = """
import sys
from alembic import command
from alembic.config import Config

config = Config("alembic.ini")
config.set_main_option("script_location", "migrations")
config.set_main_option("sqlalchemy.url", sys.argv[1])
command.upgrade(config, "head")
"""


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    with ephemeral_database(server_url) as url:
        yield url


def config(url: str) -> Config:
    made = Config(ROOT / "alembic.ini")
    made.set_main_option("script_location", str(ROOT / "migrations"))
    made.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return made


def test_files_are_numbered_in_order_with_one_head() -> None:
    scripts = ScriptDirectory.from_config(config("unused"))
    order = [script.revision for script in reversed(list(scripts.walk_revisions()))]
    assert len(scripts.get_heads()) == 1
    assert [int(re.match(r"(\d{4})_", name)[1]) for name in order] == list(range(1, len(order) + 1))


def test_every_module_of_tables_is_among_the_targets() -> None:
    rooms = (ROOT / name for name in ("registry", "consent_broker", "portal"))
    sources = [path for room in rooms for path in room.rglob("*.py")]
    assert {str(path) for path in sources if "__tablename__" in path.read_text()} == {room.__file__ for room in ROOMS}


def test_schema_is_what_the_models_say(empty_url: str) -> None:
    migrate(empty_url)
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_up_down_up(empty_url: str) -> None:
    migrate(empty_url)
    command.downgrade(config(empty_url), "base")
    engine = create_engine(empty_url)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    migrate(empty_url)
    engine.dispose()


def test_two_migrators_wait_for_each_other(empty_url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(_migrate_in_process, [empty_url, empty_url]))
    engine = create_engine(empty_url)
    assert "audit_events" in inspect(engine).get_table_names()
    engine.dispose()


def test_tokens_of_the_former_length_find_who_they_found(empty_url: str) -> None:
    """Carried over, they are what this version makes of the same keys."""
    keys, record = ["doc:41238567", "dsx:19840719:KSP", *map(str.format, ["nn:{}"] * 30, range(30))], new_id()
    sealer = Sealer(FileMasterKeys(Path(), {}, ""), b"k" * 32)
    migrate(empty_url, "0055_audit_segments")
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        blind = sealer.blinder(BLOCKING_DOMAIN)
        for token, key in [(blind(key), key) for key in keys]:
            marked = token[:-1] + bytes([token[-1] & ~1 | (worth(key) == ENOUGH)])
            values = {"token": marked, "record": record}
            connection.execute(text("INSERT INTO blocking_tokens VALUES (:token, :record, 7)"), values)
    migrate(empty_url)
    with engine.connect() as connection:
        assert sorted(connection.scalars(text("SELECT token FROM blocking_tokens"))) == blind_keys(
            sealer, frozenset(keys)
        )
    engine.dispose()


def _migrate_in_process(url: str) -> None:
    subprocess.run([sys.executable, "-c", MIGRATE, url.replace("%", "%%")], cwd=ROOT, check=True, capture_output=True)
