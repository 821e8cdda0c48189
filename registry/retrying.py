"""How often a remote part may be asked again: a small share of its requests, so that a bad hour gets no worse.

In one process, as its circuits are (`registry.breaker`).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from prometheus_client import Counter

SHARE = 0.1
"""Retries for each request."""
MOST = 3.0
"""Retries at hand at most, and at the start: what a part that is seldom asked has."""
EARNED_EACH = 60.0
"""Seconds after which one retry is earned without a request."""
RETRIES = Counter("renhice_retries_total", "Requests asked again of an establishment", ["outcome"])


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


@dataclass(slots=True)
class RetryBudgets:
    """The retries left, by name: a tenth of the requests and one a minute, three at hand at most."""

    clock: Callable[[], float] = time.monotonic
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note_request(self, name: str) -> None:
        """Count a first request: it earns a part of a retry."""
        with self._lock:
            bucket = self._earned(name)
            bucket.left = min(MOST, bucket.left + SHARE)

    def take(self, name: str) -> bool:
        """Take one retry; False when none is left."""
        with self._lock:
            bucket = self._earned(name)
            taken = bucket.left >= 1
            bucket.left -= taken
        RETRIES.labels("taken" if taken else "over-budget").inc()
        return taken

    def _earned(self, name: str) -> _Bucket:
        moment = self.clock()
        bucket = self._buckets.setdefault(name, _Bucket(MOST, moment))
        bucket.left = min(MOST, bucket.left + (moment - bucket.at) / EARNED_EACH)
        bucket.at = moment
        return bucket


def retry_after(header: str | None, moment: datetime) -> float | None:
    """The seconds a `Retry-After` asks to wait (RFC 9110 §10.2.3); None for none, or what is no such header."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit() and len(text) < 9:
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (aware - moment).total_seconds())
