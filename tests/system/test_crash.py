"""`kill -9` in the middle of a load loses no acknowledged registration and no audit row."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from deploy.layout import Layout
from deploy.readiness import is_ready
from deploy.supervision import Supervisor
from sandbox.establishment.registry_client import Client, Registry, Unreachable
from sandbox.establishment.store import Registered
from sandbox.possession import Possession
from tests.system.conftest import System

pytestmark = pytest.mark.crash
PATIENTS, THREADS, PATIENCE = 60, 4, 90
OWN_DATABASE = "RENHICE_DATABASE_URL" in os.environ
OWN_BROKER = "RENHICE_BROKER_URL" in os.environ
VICTIMS = [
    "web",
    "worker",
    pytest.param("valkey", marks=pytest.mark.skipif(OWN_BROKER, reason="the broker is not ours to kill")),
    pytest.param("postgresql", marks=pytest.mark.skipif(OWN_DATABASE, reason="the database is not ours to kill")),
]


def patient(system: str, number: str, index: int) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": system, "value": number}],
        "name": [{"family": f"Crash{chr(97 + index % 26)}{chr(97 + index // 26)}", "given": ["Prueba"]}],
        "gender": "female",
        "birthDate": f"{1950 + index % 50}-0{1 + index % 9}-1{index % 9}",
    }


def register(system: System, victim: str, indices: range, acknowledged: threading.Semaphore) -> list[Registered]:
    """Register each patient until it is acknowledged; what is returned was acknowledged."""
    establishment = system.sandbox["establishments"][0]
    client = establishment["client"]
    with httpx.Client(timeout=15, auth=Possession()) as http:
        registry = Registry(system.base_url, Client(client["client_id"], client["private_jwk"]), http)
        system_of_numbers = establishment["identifier_system"]
        found = []
        for index in indices:
            found.append(insist(registry, system_of_numbers, f"{victim}-{index}", index))
            acknowledged.release()
        return found


def insist(registry: Registry, system: str, number: str, index: int) -> Registered:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return registry.register(f"{system}|{number}", patient(system, number, index))
        except Unreachable:
            assert time.monotonic() < deadline, "the system did not come back"
            time.sleep(0.3)


def kill(system: System, victim: str, acknowledged: threading.Semaphore) -> None:
    """`kill -9` when a quarter of the work is done: by the clock it would come after all of it on a fast machine."""
    for _ in range(PATIENTS // 4):
        assert acknowledged.acquire(timeout=PATIENCE)
    processes = Supervisor(Layout(system.root)).processes()
    pids = [process.pid for process in processes if process.name.startswith(victim) and process.pid]
    assert pids, [process.name for process in processes]
    victims = [psutil.Process(pid) for pid in pids]
    for process in [child for parent in victims for child in parent.children(recursive=True)] + victims:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def rows(system: System, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(system.owner_url) as connection:
        return connection.execute(query, parameters).fetchall()


def not_running(system: System) -> list[str]:
    processes = Supervisor(Layout(system.root)).processes()
    return [process.name for process in processes if process.state != "RUNNING"]


@pytest.fixture(autouse=True)
def healthy_afterwards(system: System) -> Iterator[None]:
    yield
    heal(system)


def heal(system: System) -> None:
    """Wait until all runs again."""
    deadline = time.monotonic() + PATIENCE
    while not is_ready(system.base_url) or not_running(system):
        assert time.monotonic() < deadline, f"the system did not heal; not running: {not_running(system)}"
        time.sleep(0.3)


@pytest.mark.parametrize("victim", VICTIMS)
def test_nothing_acknowledged_is_lost(system: System, victim: str) -> None:
    share, acknowledged = PATIENTS // THREADS, threading.Semaphore(0)
    parts = [range(start, start + share) for start in range(0, PATIENTS, share)]
    with ThreadPoolExecutor(THREADS + 1) as pool:
        assassin = pool.submit(kill, system, victim, acknowledged)
        work = [pool.submit(register, system, victim, part, acknowledged) for part in parts]
        ids = [registered.source_record_id for future in work for registered in future.result()]
        assassin.result()
    assert len(set(ids)) == PATIENTS
    heal(system)
    stored = rows(system, "SELECT id FROM source_records WHERE id = ANY(%s::uuid[])", ids)
    audited = rows(
        system,
        "SELECT DISTINCT source_record_id FROM audit_events"
        " WHERE action = 'identity:record:received' AND source_record_id = ANY(%s::uuid[])",
        ids,
    )
    assert len(stored) == len(audited) == PATIENTS


def test_what_was_to_happen_afterwards_happens(system: System) -> None:
    deadline = time.monotonic() + PATIENCE
    while waiting := rows(system, "SELECT topic, attempts, last_error FROM outbox"):
        assert time.monotonic() < deadline, waiting[:5]
        time.sleep(0.2)
