"""What a record system's people do when the accreditation kit asks them to: register, correct, resolve a duplicate."""

import time
from typing import Any

from sandbox.establishment.queue import Queue
from sandbox.establishment.store import Store

ACTS = ("register", "correct", "resolve-duplicate")
SECOND_NUMBER = "-BIS"
SECONDS = 20.0


def rehearse(store: Store, queue: Queue, act: str) -> None:
    """Do one of ACTS with the first patient registered; what it leads to is sent by the queue."""
    sent = store.sent()
    if act == "correct" and sent:
        number, patient, _ = sent[0]
        store.amend(number, patient | {"telecom": [{"system": "phone", "value": "987000111", "use": "mobile"}]})
    if act == "resolve-duplicate" and sent:
        _resolve_duplicate(store, queue, sent[0])
    queue.send()


def _resolve_duplicate(store: Store, queue: Queue, survivor: tuple[str, dict[str, Any], str]) -> None:
    """Register the patient under a second number as well, wait, and say that the first one stays (ITI-104)."""
    number, patient, shared = survivor
    second = f"{number}{SECOND_NUMBER}"
    own, *others = patient["identifier"]
    duplicate = patient | {"identifier": [own | {"value": second}, *others]}
    store.add([(duplicate, second, [])])
    queue.send()
    until = time.monotonic() + SECONDS
    while second not in {known for known, _, _ in store.sent()} and time.monotonic() < until:
        time.sleep(0.1)
    link = {"other": {"reference": f"Patient/{shared}"}, "type": "replaced-by"}
    store.amend(second, duplicate | {"active": False, "link": [link]})
