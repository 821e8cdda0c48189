"""A subscriber's address, and what subscribes, happens and is delivered."""

import json
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from fhir.resources.R4B.bundle import Bundle
from sqlalchemy import update
from werkzeug.wrappers import Request, Response

from consent_broker.signals.models import Signal
from consent_broker.signals.tasks import deliver_signals
from consent_broker.signals.topics import canonical
from matching.key_scheme import key_scheme
from registry import outbox
from registry.database import new_id, now
from registry.identity.models import Membership, SourceRecord
from registry.identity.notices import tell
from tests.functional.oauth.world import Party, World

SCOPE = "system/Subscription.cruds"
PATH = "/fhir/Subscription"
MONTH = timedelta(days=31)


class Receiver:
    """A subscriber's address: keeps what arrives and answers as told."""

    def __init__(self) -> None:
        self.status, self.arrived, self.url = 200, list[tuple[bytes, str]](), ""

    @Request.application  # type: ignore[arg-type]  # werkzeug's decorator takes methods too
    def __call__(self, request: Request) -> Response:
        self.arrived.append((request.get_data(), request.headers.get("X-JWS-Signature", "")))
        return Response(status=self.status)

    def said(self) -> list[dict[str, Any]]:
        """The statuses in what arrived, by name."""
        return [told(json.loads(body)) for body, _ in self.arrived]


def told(bundle: dict[str, Any]) -> dict[str, Any]:
    """What the status of a notification says; of each event its parts."""
    Bundle.model_validate(bundle)
    assert bundle["type"] == "history"
    found: dict[str, Any] = {"events": []}
    for one in bundle["entry"][0]["resource"]["parameter"]:
        if one["name"] == "notification-event":
            parts = {part["name"]: part for part in one["part"]}
            found["events"].append({name: part.get("valueReference", part) for name, part in parts.items()})
        else:
            found[one["name"]] = next(value for key, value in one.items() if key.startswith("value"))
    return found


def asked(topic: str, endpoint: str, **changes: Any) -> dict[str, Any]:
    channel = {"type": "rest-hook", "endpoint": endpoint, "payload": "application/fhir+json"}
    body = {"resourceType": "Subscription", "status": "requested", "reason": "índice", "criteria": canonical(topic)}
    return body | {"channel": channel | changes.pop("channel", {})} | changes


def call(party: Party, method: str, path: str, **kwargs: Any) -> Any:
    return party.call(method, path, party.client_token(SCOPE), **kwargs)


def subscribe(world: World, party: Party, topic: str, receiver: Receiver) -> str:
    """Subscribe and shake hands; the id."""
    made = call(party, "POST", PATH, json=asked(topic, receiver.url))
    assert made.status_code == 201, made.text
    assert made.json["status"] == "requested"
    deliver(world)
    assert call(party, "GET", f"{PATH}/{made.json['id']}").json["status"] == "active"
    return str(made.json["id"])


def deliver(world: World) -> None:
    world.transact(outbox.relay)
    world.transact(lambda session: session.execute(update(Signal).values(available_at=now())))
    world.transact(lambda _session: deliver_signals(world.broker))


def happen(world: World, topic: str) -> str:
    """Two persons of the world were found to be one, or the like; the key of the message."""
    key = secrets.token_hex(6)
    persons = (world.other_person_id, world.person_id)
    world.transact(lambda session: tell(session, topic, key, persons=persons, records=[world.record_at_holder]))
    return key


def link(world: World, party: Party) -> UUID:
    """A record of that establishment is linked to the world's person."""
    record_id = new_id()

    def act(session: Any) -> None:
        session.add(
            SourceRecord(
                id=record_id, establishment_id=party.establishment_id, local_token=secrets.token_bytes(16), version=1,
                content_token=secrets.token_bytes(16), active=True, scheme=key_scheme(),
            )
        )  # fmt: skip
        session.flush()
        session.add(Membership(source_record_id=record_id, person_id=world.person_id))
        payload = {"person_id": str(world.person_id), "source_record_id": str(record_id)}
        outbox.publish(session, "identity:person:linked", f"{record_id}:1", payload)

    world.transact(act)
    return record_id
