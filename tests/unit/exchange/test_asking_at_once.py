"""Holders are asked at once, and by no more threads than a reading may have."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from consent_broker.exchange import gateway
from consent_broker.exchange.asking import Course
from consent_broker.exchange.gateway import MAX_THREADS, ask_holders

QUICK = "Quick"
TYPES = tuple(f"Type{number}" for number in range(MAX_THREADS + 3))


class Asked:
    """Stands in for asking one holder: keeps everybody but who asks for QUICK until `released`."""

    def __init__(self) -> None:
        self.released, self.full, self.over = threading.Event(), threading.Event(), threading.Event()
        self.at_once = self.most = self.begun = self.ended = 0
        self._lock = threading.Lock()

    def __call__(self, _broker: Any, _ticket: Any, kind: str, course: Course) -> Any:
        with self._lock:
            self.begun += not course.halted.is_set()
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            if self.at_once == MAX_THREADS:
                self.full.set()
        course.waits.set()
        assert kind == QUICK or self.released.wait(5)
        with self._lock:
            self.at_once -= 1
            self.ended += 1
            if self.ended == len(TYPES) + 1:
                self.over.set()
        return gateway._Found(kind)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    monkeypatch.setattr(gateway, "_ask", made)
    return made


def reading(broker: Any, *asked: Sequence[str]) -> Any:
    tickets: Any = [SimpleNamespace(types=types, holder=None, residual=()) for types in asked]
    return ask_holders(broker, tickets)


@pytest.fixture
def broker() -> Any:
    with ThreadPoolExecutor(64) as askers:
        yield SimpleNamespace(askers=askers)


def test_a_reading_has_so_many_threads_and_all_its_answers(asked: Asked, broker: Any) -> None:
    threading.Timer(0.05, asked.released.set).start()
    [(_, answers)] = reading(broker, TYPES)
    assert [one.resource_type for one in answers] == sorted(TYPES)
    assert asked.full.is_set()
    assert asked.most == MAX_THREADS


def test_each_is_begun_when_the_one_before_waits(monkeypatch: pytest.MonkeyPatch, broker: Any) -> None:
    busy, most, begun = 0, 0, list[str]()

    def ask(_broker: Any, _ticket: Any, kind: str, course: Course) -> Any:
        nonlocal busy, most
        busy, begun[:] = busy + 1, [*begun, kind]
        most = max(most, busy)
        time.sleep(0.002)
        busy -= 1
        course.trace("http11.receive_response_headers.started", {})
        time.sleep(0.002)
        return gateway._Found(kind)

    monkeypatch.setattr(gateway, "_ask", ask)
    monkeypatch.setattr(gateway, "A_MOMENT", 5)
    list(reading(broker, ["a"], ["b"], ["c"]))
    assert (begun, most) == (["a", "b", "c"], 1)


def test_closed_early_it_asks_nobody_else(asked: Asked, broker: Any) -> None:
    asking = reading(broker, [QUICK], TYPES)
    next(asking)
    asking.close()
    asked.released.set()
    assert asked.over.wait(5)
    assert asked.begun <= 1 + MAX_THREADS


def test_an_error_of_ours_reaches_the_caller(monkeypatch: pytest.MonkeyPatch, broker: Any) -> None:
    def fail(*_: Any) -> Any:
        raise LookupError

    monkeypatch.setattr(gateway, "_ask", fail)
    with pytest.raises(LookupError):
        list(reading(broker, [QUICK]))
