"""Circuit breakers, one a holder: one that keeps failing is left alone for a while."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

THRESHOLD = 5
REST_SECONDS = 30.0


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    opened_at: float | None = None


@dataclass(slots=True)
class Breakers:
    """The circuits of one process. After THRESHOLD failures in a row one opens; after REST_SECONDS one call may try."""

    clock: Callable[[], float] = time.monotonic
    _circuits: dict[str, _Circuit] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def allows(self, holder: str) -> bool:
        """Whether the holder may be called now; the one trial after the rest closes the door behind it."""
        with self._lock:
            circuit = self._circuits.get(holder)
            if circuit is None or circuit.opened_at is None:
                return True
            if self.clock() - circuit.opened_at < REST_SECONDS:
                return False
            circuit.opened_at = self.clock()
            return True

    def report(self, holder: str, *, success: bool) -> None:
        """Tell how a call went."""
        with self._lock:
            if success:
                self._circuits.pop(holder, None)
                return
            circuit = self._circuits.setdefault(holder, _Circuit())
            circuit.failures += 1
            if circuit.failures >= THRESHOLD:
                circuit.opened_at = self.clock()
