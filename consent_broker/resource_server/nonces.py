"""What makes a DPoP proof fresh and single (RFC 9449 §8, §11.1): nonces nobody has to keep, and proofs remembered."""

import hmac
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache

from consent_broker.resource_server.proofs import Proof

NONCE_SECONDS = 120
MAX_REMEMBERED = 100_000


class NonceNeeded(Exception):
    """The proof must carry a nonce of this server that is still good."""


class Nonces:
    """Nonces that any process of a server can check and none has to keep: a keyed function of the minutes.

    `keyed` is a MAC under a secret all processes share. One is good for two to four minutes.
    """

    def __init__(self, keyed: Callable[[str], bytes], clock: Callable[[], float] = time.time) -> None:
        self._keyed, self._clock = keyed, clock
        self._of = lru_cache(maxsize=4)(self._make)

    def current(self) -> str:
        """The nonce to offer now."""
        return self._of(self._period())

    def require(self, nonce: str | None) -> None:
        """Raise NonceNeeded unless the nonce is of this or the last period (or the next: hosts' clocks differ)."""
        period = self._period()
        if nonce is None or not any(
            hmac.compare_digest(nonce.encode("utf-8", "replace"), self._of(near).encode())
            for near in (period, period - 1, period + 1)
        ):
            raise NonceNeeded

    def _period(self) -> int:
        return int(self._clock() // NONCE_SECONDS)

    def _make(self, period: int) -> str:
        return urlsafe_b64encode(self._keyed(str(period))).rstrip(b"=").decode()


class RememberedProofs:
    """The proofs one process has seen; each counts once while it would be good."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._seen: dict[bytes, int] = {}
        self._lock = threading.Lock()

    def add(self, proof: Proof) -> bool:
        """Remember a proof; False when it is known already, or when there is no room to tell."""
        with self._lock:
            if len(self._seen) >= MAX_REMEMBERED:
                self._forget()
            if proof.key in self._seen or len(self._seen) >= MAX_REMEMBERED:
                return False
            self._seen[proof.key] = proof.ends_at
            return True

    def _forget(self) -> None:
        now = self._clock()
        self._seen = {key: ends_at for key, ends_at in self._seen.items() if ends_at > now}
