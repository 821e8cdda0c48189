"""Delivering what a subscription asked for: a signed notification Bundle, posted where the subscriber said."""

import json

from consent_broker.broker import Broker
from consent_broker.guarded_fetch import AddressRefused, FetchRefused
from consent_broker.signals.fhir_subscription import Notice, Standing, notification, status_of
from consent_broker.signals.service import ACTIVE, HANDSHAKE, REQUESTED, Parcel
from registry.fhir.formats import FHIR_JSON
from registry.fhir.wire import Json

SIGNATURE = "X-JWS-Signature"
"""The header of the signature: a JWS over the body's bytes, which are left out of it (RFC 7515 appendix F)."""


def post_notification(broker: Broker, parcel: Parcel) -> str | None:
    """One attempt; None where the subscriber took it (any 2xx), else a code of why not."""
    content = json.dumps(compose(broker, parcel), separators=(",", ":")).encode()
    headers = {"Content-Type": FHIR_JSON, SIGNATURE: broker.keys.sign_detached(content)}
    try:
        status = broker.webhooks.post(parcel.endpoint, content, headers)
    except AddressRefused:
        return "refused-address"
    except FetchRefused:
        return "unreachable"
    return None if 200 <= status < 300 else f"status-{status}"


def compose(broker: Broker, parcel: Parcel) -> Json:
    """The Bundle of a parcel; its id is the signal's, so that a repetition is recognised."""
    base, shakes = broker.audience("/fhir"), parcel.kind == HANDSHAKE
    key = parcel.subscription_id
    if key is None:
        msg = "this parcel is of no subscription"
        raise ValueError(msg)
    number = parcel.number or 0
    notices = [] if shakes else [Notice(number, parcel.raised_at, str(parcel.content["focus"]), parcel.subject)]
    status = status_of(
        base,
        Standing(key, parcel.topic or "", REQUESTED if shakes else ACTIVE, number),
        "handshake" if shakes else "event-notification",
        status_id=str(parcel.signal_id),
        notices=notices,
    )
    return notification(status, f"{base}/Subscription/{key}/$status", str(parcel.signal_id), parcel.raised_at)
