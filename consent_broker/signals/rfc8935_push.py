"""Pushing security events over HTTP (RFC 8935), many establishments at once, each within its own time."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpcore
from prometheus_client import Counter

from consent_broker.broker import Broker
from consent_broker.deadlines import until
from consent_broker.signals.rfc8417_events import security_event_token
from consent_broker.signals.service import Parcel
from consent_broker.signals.webhooks import post_notification

MAX_THREADS = 16
MEDIA_TYPE = "application/secevent+jwt"
ACCEPTED = 202
SIGNALS = Counter("renhice_signals_total", "Security events pushed to establishments", ["outcome"])


def push_all(broker: Broker, parcels: Sequence[Parcel]) -> list[str | None]:
    """Push each parcel; None where the establishment accepted it, else a code of why not, in the same order."""
    if not parcels:
        return []
    with ThreadPoolExecutor(min(MAX_THREADS, len(parcels)), thread_name_prefix="signal") as pool:
        return list(pool.map(lambda parcel: _push(broker, parcel), parcels))


def _push(broker: Broker, parcel: Parcel) -> str | None:
    """One attempt (§2); an address that keeps failing rests, so that it does not hold up the others."""
    circuit = f"signals {parcel.endpoint}"
    if not broker.breakers.allows(circuit):
        return "resting"
    error = _send(broker, parcel) if parcel.subscription_id is None else post_notification(broker, parcel)
    broker.breakers.report(circuit, success=error is None)
    SIGNALS.labels("delivered" if error is None else "failed").inc()
    return error


def _send(broker: Broker, parcel: Parcel) -> str | None:
    """Within the time a holder has, all told: one that answers slowly keeps no other's events."""
    content = security_event_token(broker, parcel).encode()
    headers = [("Content-Type", MEDIA_TYPE), ("Accept", "application/json"), ("Content-Length", str(len(content)))]
    seconds = broker.settings.holder_timeout_seconds
    pooled = {"timeout": {"pool": seconds}}
    ask = partial(broker.holders.stream, headers=headers, content=content, extensions=pooled)
    try:
        with until(time.monotonic() + seconds), ask("POST", parcel.endpoint) as answer:
            status = answer.status
    except httpcore.TimeoutException:
        return "timeout"
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, ValueError):
        return "unreachable"
    return None if status == ACCEPTED else f"status-{status}"
