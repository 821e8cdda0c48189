"""What the played registry knows: the client, its tokens, what it was sent, and what it is to do wrong on purpose."""

import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey, KeySet

from conformance.registry.keys import make_key

TTL = 5
"""Seconds a candidate may keep a status list, as the registry's."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One call of the feed as it came, and what was answered."""

    identifier: str
    content: Mapping[str, Any] | None
    content_type: str
    if_match: str
    status: int
    at: float
    """Seconds of a monotonic clock."""


@dataclass(slots=True)
class Record:
    """A patient the candidate registered: the id both sides share, and the versions of its content."""

    id: str
    identifier: str
    versions: list[Mapping[str, Any]]


@dataclass
class State:
    """Shared by the threads that serve the registry and the checks; `url` is its issuer."""

    url: str
    audience: str
    client_id: str
    client_keys: KeySet
    key: ECKey = field(default_factory=make_key)
    records: dict[str, Record] = field(default_factory=dict)
    submissions: list[Submission] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What a client did wrong when it proved who it is; one sentence each, in Spanish."""

    authenticated: int = 0
    proved: int = 0
    nonces: frozenset[str] = frozenset()
    down: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    _jtis: set[str] = field(default_factory=set)
    _tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    _revoked: set[str] = field(default_factory=set)
    _client_tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _wanted: list[str] = field(default_factory=lambda: ["unavailable", "expired", "lost"])

    def known(self) -> list[Record]:
        """The records as they are now, oldest first; more may come meanwhile."""
        with self.lock:
            return list(self.records.values())

    def find(self, record_id: str) -> Record | None:
        """A record by the id both sides share."""
        return next((one for one in self.known() if one.id == record_id), None)

    def remember(self, claims: Mapping[str, Any]) -> int:
        """Know a holder token; its index in the status list."""
        with self.lock:
            self._tokens[str(claims["jti"])] = dict(claims)
            return len(self._tokens) - 1

    def revoke(self, jti: str) -> None:
        """From now on the token does not stand: introspection and the status list say so."""
        with self.lock:
            self._revoked.add(jti)

    def active(self, claims: Mapping[str, Any]) -> bool:
        """Whether introspection vouches for it to this candidate (RFC 7662 §2.2)."""
        with self.lock:
            jti = str(claims.get("jti"))
            known = self._tokens.get(jti) is not None and jti not in self._revoked
        return known and claims.get("aud") == self.audience and claims.get("exp", 0) > time.time()

    def revoked_indices(self) -> list[int]:
        """Where the status list has a bit."""
        with self.lock:
            return [index for index, jti in enumerate(self._tokens) if jti in self._revoked]

    def use_once(self, jti: str) -> bool:
        """Whether an assertion or proof is new."""
        with self.lock:
            if jti in self._jtis:
                return False
            self._jtis.add(jti)
            return True

    def blame(self, fault: str) -> None:
        """Note what a client did wrong, once."""
        with self.lock:
            if fault not in self.faults:
                self.faults.append(fault)

    def give_client_token(self, thumbprint: str) -> str:
        """A token for the feed, bound to the client's key."""
        token = uuid.uuid4().hex
        with self.lock:
            self._client_tokens[token] = (thumbprint, time.monotonic() + 300)
        return token

    def client_token_key(self, token: str) -> str | None:
        """The thumbprint a live feed token is bound to."""
        with self.lock:
            thumbprint, ends = self._client_tokens.get(token, ("", 0.0))
        return thumbprint if ends > time.monotonic() else None

    def mishap(self, *, new: bool) -> str | None:
        """What is to go wrong with this call of the feed, once each: first an outage, then an ended token, and for the
        next new patient an answer that gets lost on the way.
        """
        with self.lock:
            if not self._wanted or (self._wanted[0] == "lost" and not (new and self.records)):
                return None
            wanted = self._wanted.pop(0)
            if wanted == "expired":
                self._client_tokens.clear()
            return wanted
