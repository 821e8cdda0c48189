"""A stolen database, and the logs beside it, show no name, document number, telephone or birth date."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psutil
import psycopg
import pytest

from deploy.layout import Layout
from deploy.supervision import Supervisor
from tests.system.conftest import System


def dump(url: str) -> Iterator[tuple[str, str]]:
    """Every table's rows as text, as COPY writes them."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            with connection.cursor().copy(f'COPY "{table}" TO STDOUT') as copy:
                yield table, b"".join(copy).decode()


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
    seen = {}
    for table, text in dump(system.owner_url):
        hits = [word for word in secrets if word in text or word.encode().hex() in text]
        if hits:
            seen[table] = hits[:3]
    assert not seen


def test_no_log_shows_a_person(system: System, secrets: set[str]) -> None:
    logs = [path for path in (system.root / "var" / "log").rglob("*") if path.is_file()]
    assert logs
    ours = [path for path in logs if "sandbox" not in path.name]
    seen = {path.name: [word for word in secrets if word in path.read_text(errors="replace")][:3] for path in ours}
    assert not {name: hits for name, hits in seen.items() if hits}


def test_no_process_of_the_product_knows_the_owners_password(system: System) -> None:
    password = system.owner_url.partition("://")[2].partition("@")[0].partition(":")[2]
    named = "RENHICE_DATABASE_URL" in system.environment
    for process in Supervisor(Layout(system.root)).processes():
        if process.name in {"web", "worker", "bulk", "beat"}:
            environment = psutil.Process(process.pid).environ()
            assert named or not any(password in value for value in environment.values())
