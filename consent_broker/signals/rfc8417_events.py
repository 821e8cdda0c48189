"""Security event tokens (RFC 8417): one signed statement for one establishment; ids only."""

from typing import Any

from consent_broker.broker import Broker
from consent_broker.signals.service import Parcel
from registry.database import now
from registry.fhir.systems import BASE

TYPE = "secevent+jwt"
TOKENS_REVOKED = "tokens-revoked"
"""Access tokens that no longer stand: content `tokens`, their `jti`."""


def event_uri(kind: str) -> str:
    """The identifier of a kind of event."""
    return f"{BASE}/events/{kind}"


def security_event_token(broker: Broker, parcel: Parcel) -> str:
    """The signed event: `aud` the establishment's FHIR base, `sub_id` the source record id (RFC 9493, opaque).

    `jti` is the signal's own, so that a repetition is recognised; there is no `sub` and no `exp` (§2.2).
    """
    claims: dict[str, Any] = {
        "iss": broker.issuer,
        "aud": parcel.audience,
        "iat": int(now().timestamp()),
        "jti": str(parcel.signal_id),
        "toe": int(parcel.raised_at.timestamp()),
        "sub_id": {"format": "opaque", "id": parcel.subject},
        "events": {event_uri(parcel.kind): dict(parcel.content)},
    }
    return broker.keys.sign(claims, TYPE)
