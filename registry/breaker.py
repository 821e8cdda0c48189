"""Circuit breakers: a remote part that keeps failing is left alone for a while.

Own lines and not a library: pybreaker holds its lock during the call, which would line up all threads behind a slow
part; the others are for asyncio.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    opened_at: float | None = None


@dataclass(slots=True)
class Breakers:
    """The circuits of one process, by name.

    After `threshold` failures in a row a circuit opens; after `rest_seconds` one call may try.
    """

    threshold: int = 5
    rest_seconds: float = 30.0
    clock: Callable[[], float] = time.monotonic
    _circuits: dict[str, _Circuit] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def allows(self, name: str) -> bool:
        """Whether that part may be called now; the one trial after the rest closes the door behind it."""
        with self._lock:
            circuit = self._circuits.get(name)
            if circuit is None or circuit.opened_at is None:
                return True
            if self.clock() - circuit.opened_at < self.rest_seconds:
                return False
            circuit.opened_at = self.clock()
            return True

    def report(self, name: str, *, success: bool) -> None:
        """Tell how a call went."""
        with self._lock:
            if success:
                self._circuits.pop(name, None)
                return
            circuit = self._circuits.setdefault(name, _Circuit())
            circuit.failures += 1
            if circuit.failures >= self.threshold:
                circuit.opened_at = self.clock()
