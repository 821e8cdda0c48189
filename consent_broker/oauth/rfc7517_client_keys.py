"""The keys of clients (RFC 7517): registered with the client, or published by it at its `jwks_uri`.

Published ones are kept as long as their server says, fetched one at a time per address, and never more often than once
in MIN_REFRESH: a stream of unknown key ids, or an address that fails, costs one fetch in that time and no more.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consent_broker.guarded_fetch import Fetched, FetchRefused
from consent_broker.oauth.clients import Client
from registry.directory.client_keys import UnusableKeys, published_keys
from registry.telemetry import logger

DEFAULT_AGE, MAX_AGE = 300, 3_600
"""Seconds a set is kept when its server does not say, and at most: a key that was withdrawn is gone within an hour."""

MIN_REFRESH = 10
WAIT_SECONDS = 6.0
MAX_WAITING = 4
"""Requests that fetch a client's keys or wait for them at once: a slow address keeps no more threads than these."""

_log = logger(__name__)
Member = Mapping[str, Any]


class KeysUnavailable(Exception):
    """The client publishes its keys and they can't be had now."""


@dataclass(slots=True)
class _Kept:
    """What is known of one address; times are of the monotonic clock, negative ones are long ago."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_WAITING))
    members: Sequence[Member] = ()
    tried_at: float = float("-inf")
    ends_at: float = float("-inf")


class ClientKeys:
    """The published keys of all clients, kept by this process."""

    def __init__(self, fetch: Callable[[str], Fetched], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def find(self, client: Client, kid: object, before_waiting: Callable[[], None]) -> Sequence[Member]:
        """The client's keys, of which one should have that id; raises KeysUnavailable.

        `before_waiting` is called before anything is fetched: whoever holds a connection lets go of it. It must keep
        what was used up so far in the same request, or a credential would be good again.
        """
        if client.jwks_uri is None:
            return [member for member in (client.jwks or {}).get("keys") or [] if isinstance(member, dict)]
        with self._lock:
            kept = self._kept.setdefault(client.jwks_uri, _Kept())
        if self._lacks(kept, kid) and (kept.lock.locked() or self._may_fetch(kept)):
            before_waiting()
            self._refresh(client, kept, kid)
        if self._clock() >= kept.ends_at:
            raise KeysUnavailable
        return kept.members

    def _lacks(self, kept: _Kept, kid: object) -> bool:
        """Whether what is kept is old, or lacks that key."""
        known = kid is None or any(member.get("kid") == kid for member in kept.members)
        return self._clock() >= kept.ends_at or not known

    def _may_fetch(self, kept: _Kept) -> bool:
        return self._clock() - kept.tried_at >= MIN_REFRESH

    def _refresh(self, client: Client, kept: _Kept, kid: object) -> None:
        """Fetch, or wait for whoever is fetching; a few may wait, the others are told at once."""
        if not kept.room.acquire(blocking=False):
            return
        try:
            if kept.lock.acquire(timeout=WAIT_SECONDS):
                self._fetch_if_needed(client, kept, kid)
        finally:
            kept.room.release()

    def _fetch_if_needed(self, client: Client, kept: _Kept, kid: object) -> None:
        """With the lock taken: somebody else may have fetched meanwhile."""
        try:
            if self._lacks(kept, kid) and self._may_fetch(kept):
                kept.tried_at = self._clock()
                self._load(client, kept)
        finally:
            kept.lock.release()

    def _load(self, client: Client, kept: _Kept) -> None:
        try:
            fetched = self._fetch(str(client.jwks_uri))
            members = published_keys(fetched.body, client.profile.name)
        except (FetchRefused, UnusableKeys) as error:
            _log.warning("client keys not fetched", client_id=client.client_id, reason=str(error))
            return
        age = DEFAULT_AGE if fetched.max_age is None else fetched.max_age
        kept.members, kept.ends_at = members, self._clock() + min(max(age, MIN_REFRESH), MAX_AGE)
