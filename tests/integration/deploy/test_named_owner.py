"""A database whose owner is no superuser, as the runbook makes one, can be migrated and used."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import make_url

from deploy import postgres
from deploy.services import ephemeral_postgres

ROOT = Path(__file__).parents[3]


@pytest.fixture
def owner_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("RENHICE_DATABASE_URL", raising=False)
    with ephemeral_postgres() as server:
        with postgres.connect(make_url(server)) as connection:
            connection.execute("CREATE ROLE renhice_owner LOGIN CREATEROLE PASSWORD 'owner'")
            connection.execute("CREATE DATABASE owned OWNER renhice_owner")
        url = make_url(server).set(username="renhice_owner", password="owner", database="owned")
        yield url.render_as_string(hide_password=False)


def test_the_owner_may_take_the_applications_role(owner_url: str) -> None:
    configuration = Config()
    configuration.set_main_option("script_location", os.fspath(ROOT / "migrations"))
    configuration.set_main_option("sqlalchemy.url", owner_url.replace("%", "%%"))
    command.upgrade(configuration, "head")
    with postgres.connect(make_url(owner_url)) as connection:
        connection.execute("SET ROLE renhice_app")
        row = connection.execute("SELECT has_table_privilege('audit_events', 'UPDATE'), current_user").fetchone()
        assert row == (False, "renhice_app")
