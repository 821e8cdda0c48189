"""A bounded memory of answers, each for a time of its own; it lives and dies with the process."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from registry.pide.port import IdentityCheck


@dataclass(slots=True)
class CheckCache:
    """Least recently used goes first; keys are blind tokens or numbers, as the caller prefers."""

    capacity: int = 10_000
    clock: Callable[[], float] = time.monotonic
    _kept: OrderedDict[str, tuple[float, IdentityCheck]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, key: str) -> IdentityCheck | None:
        """The answer kept under the key, unless its time is over."""
        with self._lock:
            until, check = self._kept.get(key, (0.0, None))
            if check is None or self.clock() >= until:
                self._kept.pop(key, None)
                return None
            self._kept.move_to_end(key)
            return check

    def keep(self, key: str, check: IdentityCheck, seconds: float) -> None:
        """Remember an answer for that long."""
        with self._lock:
            self._kept[key] = (self.clock() + seconds, check)
            self._kept.move_to_end(key)
            while len(self._kept) > self.capacity:
                self._kept.popitem(last=False)
