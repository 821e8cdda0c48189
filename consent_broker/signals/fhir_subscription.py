"""Subscriptions as FHIR R4 writes them, with the profiles of the R5 Backport; pure but for the clock."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from consent_broker.signals.models import Subscription, SubscriptionVersion
from consent_broker.signals.subscriptions import Deliveries, Wanted
from consent_broker.signals.topics import TOPICS, canonical, topic_of
from registry.database import now
from registry.errors import Unprocessable
from registry.fhir.formats import FHIR_JSON
from registry.fhir.wire import Json, fail

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
CONTENT = f"{BACKPORT}/backport-payload-content"
ID_ONLY = "id-only"
MAX_URL = 500
MAX_REASON = 200
LONGEST = timedelta(days=36_525)
"""A hundred years: an end of the year 9999 is one that the database keeps and nothing can read back."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Which subscription a status is of, and how it stands."""

    id: UUID
    topic: str
    status: str
    events: int


@dataclass(frozen=True, slots=True)
class Notice:
    """One event as a notification names it."""

    number: int
    at: datetime
    focus: str
    patient: str


def read_subscription(body: Json, refuses: Callable[[str], str | None]) -> Wanted:
    """What a valid Subscription asks for; raises InvalidResource or Unprocessable for what is not offered."""
    if body.get("status") != "requested":
        fail("Subscription.status", "must be requested")
    topic = topic_of(body["criteria"])
    if topic is None:
        raise Unprocessable(
            "Subscription.criteria must be the canonical URL of a topic.",
            code="topic-unknown",
            hint=f"There are: {', '.join(canonical(name) for name in TOPICS)}.",
        )
    ends_at = body.get("end")
    return Wanted(
        topic=topic,
        endpoint=_endpoint(body["channel"], refuses),
        reason=str(body["reason"])[:MAX_REASON],
        ends_at=_end(ends_at) if ends_at else None,
    )


def _endpoint(channel: Json, refuses: Callable[[str], str | None]) -> str:
    if channel.get("type") != "rest-hook":
        raise Unprocessable("Only the channel rest-hook is offered.", code="channel-not-offered")
    if channel.get("header"):
        raise Unprocessable("Notifications are signed and carry no header of yours.", code="header-not-offered")
    if channel.get("payload", FHIR_JSON) != FHIR_JSON or _content(channel) != ID_ONLY:
        raise Unprocessable("Notifications are application/fhir+json and hold ids only.", code="payload-not-offered")
    url = str(channel.get("endpoint") or "")
    if not _is_address(url):
        fail("Subscription.channel.endpoint", "must be an absolute https address without user name or fragment")
    if refuses(url) is not None:
        raise Unprocessable("Notifications go to https addresses on the Internet only.", code="endpoint-refused")
    return url


def _is_address(url: str) -> bool:
    """Whether it is an absolute address with a host and a port that can be, and nothing secret or local in it."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url or "#" in url:
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname and parts.port != 0 and not parts.username and not parts.password)
    except ValueError:
        return False


def _content(channel: Json) -> str:
    shadow = channel.get("_payload") or {}
    found = (one.get("valueCode") for one in shadow.get("extension") or [] if one.get("url") == CONTENT)
    return str(next(found, ID_ONLY))


def _end(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        fail("Subscription.end", "is not an instant")
    if moment.tzinfo is None or not now() < moment < now() + LONGEST:
        fail("Subscription.end", "must be an instant of the next hundred years, with its time zone")
    return moment


def as_fhir(subscription: Subscription, version: SubscriptionVersion | None = None) -> Json:
    """The resource (profile backport-subscription), as one of its versions said it or as it is now."""
    said = version or subscription
    made: Json = {
        "resourceType": "Subscription",
        "id": str(subscription.id),
        "meta": {
            "versionId": str(said.version),
            "lastUpdated": _instant(said.changed_at),
            "profile": [f"{BACKPORT}/backport-subscription"],
        },
        "status": said.status,
        "reason": subscription.reason,
        "criteria": canonical(subscription.topic),
        "channel": {
            "type": "rest-hook",
            "endpoint": subscription.endpoint,
            "payload": FHIR_JSON,
            "_payload": {"extension": [{"url": CONTENT, "valueCode": ID_ONLY}]},
        },
    }
    if subscription.ends_at is not None:
        made["end"] = _instant(subscription.ends_at)
    return made | ({"error": said.last_error} if said.last_error else {})


def notification(status: Mapping[str, Any], entry_url: str, bundle_id: str, at: datetime) -> Json:
    """A notification Bundle: the status and nothing else, since what it is about is to be read with one's own token."""
    return {
        "resourceType": "Bundle",
        "id": bundle_id,
        "meta": {"profile": [f"{BACKPORT}/backport-subscription-notification-r4"]},
        "type": "history",
        "timestamp": _instant(at),
        "entry": [
            {
                "fullUrl": f"urn:uuid:{status['id']}",
                "resource": dict(status),
                "request": {"method": "GET", "url": entry_url},
                "response": {"status": "200"},
            }
        ],
    }


def status_of(
    base: str,
    standing: Standing,
    kind: str,
    *,
    status_id: str,
    notices: Sequence[Notice] = (),
    error: str | None = None,
) -> Json:
    """The subscription status (profile backport-subscription-status-r4)."""
    said: list[Json] = [
        {"name": "subscription", "valueReference": {"reference": f"{base}/Subscription/{standing.id}"}},
        {"name": "topic", "valueCanonical": canonical(standing.topic)},
        {"name": "status", "valueCode": standing.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(standing.events)},
        *({"name": "notification-event", "part": _event(base, notice)} for notice in notices),
    ]
    if error is not None:
        said.append({"name": "error", "valueCodeableConcept": {"text": error}})
    return {
        "resourceType": "Parameters",
        "id": status_id,
        "meta": {"profile": [f"{BACKPORT}/backport-subscription-status-r4"]},
        "parameter": said,
    }


def describe(deliveries: Deliveries, last_error: str | None) -> str | None:
    """What an establishment is told of notifications that did not arrive; None when all did."""
    if not deliveries.given_up and last_error is None:
        return None
    return (
        f"{deliveries.given_up} notifications were given up and {deliveries.waiting} wait "
        f"({last_error or 'no error'}); put the Subscription with status requested to have them sent again."
    )


def _event(base: str, notice: Notice) -> list[Json]:
    parts: list[Json] = [
        {"name": "event-number", "valueString": str(notice.number)},
        {"name": "timestamp", "valueInstant": _instant(notice.at)},
        {"name": "focus", "valueReference": {"reference": f"{base}/{notice.focus}"}},
    ]
    about = f"Patient/{notice.patient}"
    if notice.focus != about:
        parts.append({"name": "additional-context", "valueReference": {"reference": f"{base}/{about}"}})
    return parts


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
