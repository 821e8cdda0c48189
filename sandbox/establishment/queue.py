"""Store and forward: patients wait in the establishment's database until the registry has acknowledged them."""

import logging
import os
import random
import threading
import time

from sandbox.documents import submission
from sandbox.establishment.registry_client import Refused, Registry, Unreachable
from sandbox.establishment.store import Pending, Store

BATCH = 20
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
IDLE = 1.0


def back_off(attempts: int) -> float:
    """Return the seconds to wait after `attempts` failures: doubling, capped, spread so that sites do not align."""
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempts, 10)) * random.uniform(0.5, 1.0))


class Queue:
    """Sends pending patients one by one, oldest first.

    A patient is marked only after the registry's answer, and the feed is idempotent: a process killed in between sends
    again what it had sent, and nothing is lost or doubled.
    """

    def __init__(self, store: Store, registry: Registry, identifier_system: str, fhir_base: str) -> None:
        self._store, self._registry = store, registry
        self._system, self._fhir_base = identifier_system, fhir_base
        self._wake = threading.Event()
        self._stopped = False

    def start(self) -> threading.Thread:
        """Send in the background for as long as the process lives."""
        thread = threading.Thread(target=self._run_or_end, name="sihce-queue", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Ask the background thread to end after the patient in hand."""
        self._stopped = True
        self._wake.set()

    def send(self) -> None:
        """Send everything that is not sent, now, and keep sending after a restart."""
        self._store.switch_sending(on=True)
        self._store.retry()
        self._wake.set()

    def forward(self) -> float:
        """Send one batch; return the seconds until it is worth trying again."""
        for pending in self._store.due(time.time(), BATCH):
            pause = self._forward_one(pending)
            if pause:
                return pause
        if self._store.due(time.time(), 1):
            return 0
        return self._tell_of_a_document()

    def _tell_of_a_document(self) -> float:
        """Say what document there is of a registered patient; the seconds until it is worth trying again."""
        found = self._store.untold()
        if found is None:
            return IDLE
        document, patient = found
        try:
            self._registry.provide(submission(document, self._fhir_base, patient))
        except Refused as error:
            logging.getLogger(__name__).warning("document %s refused: %s", document.id, error)
        except Unreachable as error:
            return max(back_off(0), error.retry_after)
        self._store.mark_told(document.id)
        return 0

    def _forward_one(self, pending: Pending) -> float:
        try:
            registered = self._registry.register(f"{self._system}|{pending.local_number}", pending.resource)
        except Refused as error:
            self._store.mark_error(pending.local_number, str(error))
        except Unreachable as error:
            wait = max(back_off(pending.attempts), error.retry_after)
            self._store.postpone(pending.local_number, time.time() + wait, str(error))
            return min(wait, back_off(0))
        else:
            self._store.mark_sent(pending.local_number, registered)
        return 0

    def _run_or_end(self) -> None:
        """A record system whose queue has died must not look alive: the process ends, and is started again."""
        try:
            self._run()
        except Exception:
            logging.getLogger(__name__).exception("the queue ended")
            os._exit(1)

    def _run(self) -> None:
        while not self._stopped:
            pause = self.forward() if self._store.sending() else IDLE
            if pause:
                self._wake.wait(pause)
                self._wake.clear()
