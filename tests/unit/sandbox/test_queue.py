"""Store and forward: nothing is lost, nothing doubled, and a refusal does not block the rest."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sandbox.documents import ClinicalDocument
from sandbox.establishment.queue import LONGEST_WAIT, Queue, back_off
from sandbox.establishment.registry_client import Refused, Unreachable
from sandbox.establishment.store import Registered, Store

SYSTEM = "https://example.pe/hc"


class Registry:
    """Answers as it is told: an exception for some numbers, an id for the others."""

    def __init__(self) -> None:
        self.failing: dict[str, Exception] = {}
        self.received: list[str] = []
        self.provided: list[dict[str, Any]] = []

    def register(self, identifier: str, _resource: dict[str, Any]) -> Registered:
        self.received.append(identifier)
        number = identifier.rpartition("|")[2]
        if number in self.failing:
            raise self.failing[number]
        return Registered(f"id-{number}", "1")

    def provide(self, submission: dict[str, Any]) -> None:
        self.provided.append(submission["entry"][1]["resource"])
        if "provide" in self.failing:
            raise self.failing["provide"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "place.sqlite")) as store:
        allergy = {"resourceType": "AllergyIntolerance", "id": "a1"}
        store.add([({"n": 1}, "1", [allergy]), ({"n": 2}, "2", []), ({"n": 3}, "3", [])])
        yield store


@pytest.fixture
def registry() -> Registry:
    return Registry()


def make_queue(store: Store, registry: Registry) -> Queue:
    return Queue(store, registry, SYSTEM, "http://here/fhir")  # type: ignore[arg-type]  # the same shape


def test_everything_is_sent_once_and_bound_to_the_shared_id(store: Store, registry: Registry) -> None:
    queue = make_queue(store, registry)
    assert queue.forward() > 0
    queue.forward()
    assert registry.received == [f"{SYSTEM}|1", f"{SYSTEM}|2", f"{SYSTEM}|3"]
    assert store.counts() == {"pending": 0, "sent": 3, "error": 0}
    assert store.search("AllergyIntolerance", "id-1")[0]["id"] == "a1"
    assert store.search("AllergyIntolerance", "id-2") == []


def test_a_refusal_is_recorded_and_the_rest_goes_on(store: Store, registry: Registry) -> None:
    registry.failing["2"] = Refused("PUT: 422 no name")
    make_queue(store, registry).forward()
    assert store.counts() == {"pending": 0, "sent": 2, "error": 1}
    assert store.reasons() == [{"local_number": "2", "status": "ERROR", "reason": "PUT: 422 no name"}]


def test_downtime_keeps_everything_pending_and_backs_off(store: Store, registry: Registry) -> None:
    registry.failing = dict.fromkeys("123", Unreachable("ConnectError"))
    queue = make_queue(store, registry)
    assert queue.forward() > 0
    assert store.counts()["pending"] == 3
    assert len(registry.received) == 1
    registry.failing.clear()
    store.retry()
    queue.forward()
    assert store.counts()["sent"] == 3


def test_the_server_s_retry_after_is_respected(store: Store, registry: Registry) -> None:
    registry.failing["1"] = Unreachable("503", retry_after=40)
    make_queue(store, registry).forward()
    assert [p.local_number for p in store.due(time.time() + 39, 9)] == ["2", "3"]
    assert "1" in {p.local_number for p in store.due(time.time() + 41, 9)}


def test_sending_again_revives_refused_patients_but_not_sent_ones(store: Store, registry: Registry) -> None:
    registry.failing["2"] = Refused("no")
    queue = make_queue(store, registry)
    queue.forward()
    registry.failing.clear()
    queue.send()
    queue.forward()
    assert registry.received.count(f"{SYSTEM}|2") == 2
    assert registry.received.count(f"{SYSTEM}|1") == 1


def test_the_switch_and_the_state_outlive_the_process(store: Store, registry: Registry, tmp_path: Path) -> None:
    make_queue(store, registry).send()
    with closing(Store(tmp_path / "place.sqlite")) as reopened:
        assert reopened.sending()
        assert reopened.counts()["pending"] == 3


def test_preparing_again_neither_resends_nor_loses(store: Store, registry: Registry) -> None:
    make_queue(store, registry).forward()
    store.add([({"n": 1}, "1", []), ({"n": 4}, "4", [])])
    assert store.counts() == {"pending": 1, "sent": 3, "error": 0}


RECIPE = ClinicalDocument("d1", "1", "57833-6", "Receta", "application/pdf", "2026-03-05T10:00:00-05:00", b"%PDF")


def test_a_document_is_told_once_its_patient_is_known(store: Store, registry: Registry) -> None:
    store.keep(RECIPE)
    registry.failing["provide"] = Unreachable("503")
    queue = make_queue(store, registry)
    assert store.untold() is None
    assert queue.forward() > 0
    registry.failing.clear()
    queue.forward()
    queue.forward()
    assert [one["subject"]["identifier"]["value"] for one in registry.provided] == ["id-1", "id-1"]
    assert registry.provided[0]["content"][0]["attachment"]["url"] == "http://here/fhir/Binary/d1"
    assert store.document("d1", "id-1") == RECIPE
    assert store.document("d1", "id-2") is None


def test_a_document_that_is_refused_is_not_told_again(store: Store, registry: Registry) -> None:
    store.keep(RECIPE)
    registry.failing["provide"] = Refused("422")
    queue = make_queue(store, registry)
    for _ in range(3):
        queue.forward()
    assert len(registry.provided) == 1


def test_waits_grow_and_are_bounded() -> None:
    assert all(back_off(attempts) <= LONGEST_WAIT for attempts in range(100))
    assert back_off(8) > back_off(0)
