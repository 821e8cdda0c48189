"""A stolen database, and the logs beside it, show no name, document number, telephone or birth date."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import psutil
import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from deploy.layout import Layout
from deploy.supervision import Supervisor
from tests.stolen import shown_by, tables
from tests.system.conftest import System


def personal_data(system: System) -> set[str]:
    """What identifies the population: numbers, telephones, birth dates, surnames and full given names."""
    found: set[str] = set()
    for database in (system.root / "var" / "sandbox").glob("[0-9]*.sqlite"):
        with closing(sqlite3.connect(database)) as connection:
            for (resource,) in connection.execute("SELECT resource FROM patients"):
                found.update(words(json.loads(resource)))
    return {word for word in found if len(word) >= 7}


def words(patient: dict[str, Any]) -> Iterator[str]:
    yield patient.get("birthDate", "")
    yield from (entry["value"] for field in ("identifier", "telecom") for entry in patient.get(field, []))
    for name in patient["name"]:
        yield " ".join(name["given"])
        yield name.get("family", "")
        yield from (extension["valueString"] for extension in name.get("_family", {}).get("extension", []))


@pytest.fixture(scope="module")
def secrets(system: System) -> set[str]:
    words = personal_data(system)
    assert len(words) > 100
    return words


def test_no_table_shows_a_person(system: System, secrets: set[str]) -> None:
    with psycopg.connect(system.owner_url) as connection:
        seen = {table: [word for word in secrets if shown.shows(word)][:3] for table, shown in tables(connection)}
    assert len(seen) > 50
    assert not {table: words for table, words in seen.items() if words}


def test_a_person_would_be_seen_wherever_they_stood(system: System) -> None:
    word, lot = "45678901", "0123456789abcdef" * 2
    values = (
        word.encode(), UUID(bytes=word.encode() * 2), int(word), float(word), f"x{word}y", word.encode().hex(),
        f"{UUID(int=2**99)}-{word}", f"{lot}_{word}", lot + word.encode().hex(), Jsonb({"a": [{word: 1}]}), [word],
    )  # fmt: skip
    with psycopg.connect(system.owner_url) as connection:
        for value in values:
            connection.execute(sql.SQL("CREATE TABLE leak AS SELECT {} AS it").format(value))
            assert dict(tables(connection))["leak"].shows(word), value
            connection.rollback()
    assert not shown_by(lot[:4] + word + lot).shows(word), "that is chance"


def test_no_log_shows_a_person(system: System, secrets: set[str]) -> None:
    logs = [path for path in (system.root / "var" / "log").rglob("*") if path.is_file()]
    assert logs
    ours = {path.name: shown_by(path.read_text(errors="replace")) for path in logs if "sandbox" not in path.name}
    seen = {name: [word for word in secrets if shown.shows(word)][:3] for name, shown in ours.items()}
    assert not {name: hits for name, hits in seen.items() if hits}


def test_no_process_of_the_product_knows_the_owners_password(system: System) -> None:
    password = system.owner_url.partition("://")[2].partition("@")[0].partition(":")[2]
    named = "RENHICE_DATABASE_URL" in system.environment
    for process in Supervisor(Layout(system.root)).processes():
        if process.name in {"web", "worker", "bulk", "beat"}:
            environment = psutil.Process(process.pid).environ()
            assert named or not any(password in value for value in environment.values())
