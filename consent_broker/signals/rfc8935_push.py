"""Pushing security events over HTTP (RFC 8935), many establishments at once, each within its own time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
from prometheus_client import Counter

from consent_broker.broker import Broker
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
    headers = {"Content-Type": MEDIA_TYPE, "Accept": "application/json"}
    token = security_event_token(broker, parcel)
    try:
        with broker.http.stream("POST", parcel.endpoint, content=token.encode(), headers=headers) as response:
            status = response.status_code
    except httpx.TimeoutException:
        return "timeout"
    except (httpx.HTTPError, httpx.InvalidURL):
        return "unreachable"
    return None if status == ACCEPTED else f"status-{status}"
