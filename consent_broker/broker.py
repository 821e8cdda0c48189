"""What the rooms of the broker share in one process, and where a request finds it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore

import httpx
from flask import Flask, current_app

from consent_broker.oauth.rfc7517_keys import SigningKeys, ensure_signing_key
from registry.breaker import Breakers
from registry.errors import Unavailable
from registry.settings import Settings

EXTENSION = "consent-broker"
EXCHANGE_SLOTS = 6
"""Fetches at once in a process: fewer than its threads, so that holders who introspect meanwhile are answered."""


@dataclass(frozen=True, slots=True)
class Broker:
    """The issuer, its keys, and the connections to the holders of records."""

    settings: Settings
    keys: SigningKeys
    http: httpx.Client
    breakers: Breakers
    slots: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(EXCHANGE_SLOTS))

    @contextmanager
    def exchange_slot(self) -> Iterator[None]:
        """Hold one of the process's fetches; raises Unavailable at once when all are taken."""
        if not self.slots.acquire(blocking=False):
            raise Unavailable("Too many records are being fetched now.", hint="Try again in a few seconds.")
        try:
            yield
        finally:
            self.slots.release()

    @property
    def issuer(self) -> str:
        """The issuer identifier (RFC 8414 §2): the base URL, without a trailing slash."""
        return self.settings.base_url

    def audience(self, surface: str) -> str:
        """The audience of one of our own surfaces, such as `/fhir`."""
        return f"{self.issuer}{surface}"


def install_broker(app: Flask, settings: Settings) -> Broker:
    """Make the broker of an application; outside production a missing first signing key is made."""
    if settings.environment != "production":
        ensure_signing_key(settings.keys_dir)
    seconds = settings.holder_timeout_seconds
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=32)
    http = httpx.Client(timeout=httpx.Timeout(seconds), limits=limits, follow_redirects=False, trust_env=False)
    broker = Broker(settings, SigningKeys(settings.keys_dir), http, Breakers())
    app.extensions[EXTENSION] = broker
    return broker


def current_broker() -> Broker:
    """The broker of the application being served."""
    found: Broker = current_app.extensions[EXTENSION]
    return found
