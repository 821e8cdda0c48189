"""What the rooms of the broker share in one process, and where a request finds it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

import httpcore
import httpx
from flask import Flask, current_app

from consent_broker.deadlines import Bounded
from consent_broker.guarded_fetch import GuardedFetcher
from consent_broker.oauth.rfc7517_client_keys import ClientKeys
from consent_broker.oauth.rfc7517_keys import SigningKeys, ensure_signing_key
from consent_broker.oauth.rfc9449_client import Prover
from consent_broker.oauth.rfc9449_dpop import make_nonces, offer_nonces
from consent_broker.oauth.throttling import Failures
from consent_broker.resource_server.nonces import Nonces
from registry.breaker import Breakers
from registry.errors import Unavailable
from registry.retrying import RetryBudgets
from registry.sealing import Sealer
from registry.settings import Settings

EXTENSION = "consent-broker"
_ALL = ""
"""No client's id: what all hold together."""

MOST_ASKERS = 1024
KEPT_SECONDS = 30.0
"""How long an idle connection to a holder is kept, unless the holder closes it before."""


class ExchangeSlots:
    """The fetches of a process: fewer than its threads, so that holders who introspect meanwhile are answered.

    A client takes one more only while more are free than it holds: alone it has half of them, and two together leave
    one to a third. The portal counts as one client. There a reader takes one more only while more than twice as many
    of the portal's half are free: a page that its reader takes slowly, or never, keeps its place meanwhile.
    """

    def __init__(self, total: int) -> None:
        self.total, self.share = total, (total + 1) // 2
        self._lock, self._taken = Lock(), Counter[str | UUID | None]()

    @contextmanager
    def hold(self, client_id: str | None, reader: UUID | None = None) -> Iterator[None]:
        """Hold one; raises Unavailable at once when none is left, or none for who holds as many."""
        names = [_ALL, client_id, *([] if reader is None else [reader])]
        with self._lock:
            if not self._has_room(client_id, reader):
                raise Unavailable("Too many records are being fetched now.", hint="Try again in a few seconds.")
            self._taken.update(names)
        try:
            yield
        finally:
            self._release(names)

    def _has_room(self, client_id: str | None, reader: UUID | None) -> bool:
        held = self._taken[client_id]
        room = self.total - self._taken[_ALL] > held
        return room and (reader is None or self.share - held > 2 * self._taken[reader])

    def _release(self, names: Iterable[str | UUID | None]) -> None:
        with self._lock:
            self._taken.subtract(names)
            self._taken = +self._taken  # forgets whoever holds none


@dataclass(frozen=True, slots=True)
class Broker:
    """The issuer, its keys and nonces, and what it shows to the holders of records."""

    settings: Settings
    keys: SigningKeys
    holders: httpcore.ConnectionPool
    """Asks holders and posts events to them, each within `deadlines.until`; kept connections, no redirects.

    Not httpx: it takes twice the processor time of a request.
    """
    askers: ThreadPoolExecutor
    """Threads that ask holders, kept: starting them cost each reading more than what they then do.

    There are as many as were ever needed at once. A reading has few, until it is closed (`exchange.gateway`), and each
    ends with its holder's time: far fewer than there may be, so holders that hang take none from others.
    """
    breakers: Breakers
    retries: RetryBudgets
    slots: ExchangeSlots
    nonces: Nonces
    client_keys: ClientKeys
    failures: Failures
    prover: Prover
    webhooks: GuardedFetcher
    """Posts to the addresses that subscribers chose."""

    @property
    def issuer(self) -> str:
        """The issuer identifier (RFC 8414 §2): the base URL, without a trailing slash."""
        return self.settings.base_url

    def audience(self, surface: str) -> str:
        """The audience of one of our own surfaces, such as `/fhir`."""
        return f"{self.issuer}{surface}"


def install_broker(app: Flask, settings: Settings, sealer: Sealer) -> Broker:
    """Make the broker of an application; outside production a missing first signing key is made."""
    if settings.environment != "production":
        ensure_signing_key(settings.keys_dir)
    holders = httpcore.ConnectionPool(
        ssl_context=httpx.create_ssl_context(trust_env=False),
        max_connections=64,
        max_keepalive_connections=64,
        keepalive_expiry=KEPT_SECONDS,
        network_backend=Bounded(),
    )
    loopback = settings.environment != "production"
    broker = Broker(
        settings=settings,
        keys=SigningKeys(settings.keys_dir),
        holders=holders,
        askers=ThreadPoolExecutor(MOST_ASKERS, thread_name_prefix="holder"),
        breakers=Breakers(),
        retries=RetryBudgets(),
        slots=ExchangeSlots(settings.exchange_concurrency),
        nonces=make_nonces(sealer),
        failures=Failures(),
        client_keys=ClientKeys(GuardedFetcher(loopback=loopback).get),
        prover=Prover(),
        webhooks=GuardedFetcher(loopback=loopback, workers=16),
    )
    app.extensions[EXTENSION] = broker
    offer_nonces(app)
    return broker


def current_broker() -> Broker:
    """The broker of the application being served."""
    found: Broker = current_app.extensions[EXTENSION]
    return found
