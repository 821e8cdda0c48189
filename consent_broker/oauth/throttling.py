"""Failed authentications, counted by the address they come from and the client they name.

Beyond the limit a failure is told to wait and leaves no trace of its own, so that a flood fills no table. A success is
never counted and always let through: nobody is locked out by somebody else's failures, at the same address or another.
"""

import threading
import time
from collections.abc import Callable
from enum import Enum

LIMIT = 100
WINDOW = 60.0
MAX_KEPT = 10_000


class Count(Enum):
    """Where a failure stands."""

    WITHIN = "within the limit"
    AT_LIMIT = "the last one within it"
    BEYOND = "beyond it"


class Failures:
    """The failures of the last minute, in one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def note(self, address: str, client_id: str) -> Count:
        """Count a failure."""
        key, moment = (address, client_id), self._clock()
        with self._lock:
            began, count = self._counts.get(key, (moment, 0))
            if moment - began >= WINDOW:
                began, count = moment, 0
            if key not in self._counts and len(self._counts) >= MAX_KEPT:
                self._forget(moment)
            self._counts[key] = (began, count + 1)
        if count + 1 == LIMIT:
            return Count.AT_LIMIT
        return Count.WITHIN if count + 1 < LIMIT else Count.BEYOND

    def _forget(self, moment: float) -> None:
        """Drop what has ended; when nothing has, drop all: counting anew is better than growing."""
        recent = {key: value for key, value in self._counts.items() if moment - value[0] < WINDOW}
        self._counts = recent if len(recent) < MAX_KEPT else {}
