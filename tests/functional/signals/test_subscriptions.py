"""Establishments ask to be told, and are: signed, ids only, about their own patients, until it has arrived."""

import base64
import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from joserfc import jws
from joserfc.jwk import KeySet
from sqlalchemy import select, update
from werkzeug.wrappers import Request, Response

from consent_broker.consents.service import list_consents, revoke_consent
from consent_broker.signals.models import Signal, Subscription
from consent_broker.signals.service import MAX_ATTEMPTS, purge, replay
from consent_broker.signals.tasks import deliver_signals
from consent_broker.signals.topics import canonical
from matching.key_scheme import key_scheme
from registry import outbox
from registry.database import new_id, now
from registry.directory.models import RecordSystem
from registry.identity.models import Membership, SourceRecord
from registry.identity.notices import MERGED, UNLINKED, tell
from tests.functional.exchange.conftest import free_port, served
from tests.functional.oauth.world import Party, World, claims_of

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


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made, port = Receiver(), free_port()
    made.url = f"http://127.0.0.1:{port}/hook"
    with served(made, port):
        yield made


@pytest.fixture(autouse=True)
def _fresh(world: World, receiver: Receiver) -> None:
    receiver.status = 200
    receiver.arrived.clear()
    world.broker.breakers.report(f"signals {receiver.url}", success=True)

    def clear(session: Any) -> None:
        session.execute(update(Subscription).values(status="off"))
        session.execute(update(Signal).values(delivered_at=now()))

    world.transact(clear)


def told(bundle: dict[str, Any]) -> dict[str, Any]:
    """What the status of a notification says; of each event its parts."""
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


def test_a_merge_is_told_signed_and_by_ids_only(world: World, receiver: Receiver) -> None:
    subscription = subscribe(world, world.holding, "merge", receiver)
    happen(world, MERGED)
    deliver(world)
    handshake, event = receiver.said()
    assert (handshake["type"], event["type"]) == ("handshake", "event-notification")
    assert event["subscription"]["reference"] == f"{world.broker.issuer}{PATH}/{subscription}"
    assert [one["focus"]["reference"] for one in event["events"]] == [
        f"{world.broker.issuer}/fhir/Patient/{world.record_at_holder}"
    ]
    body, signature = receiver.arrived[-1]
    assert str(world.person_id) not in body.decode()
    protected, _, proof = signature.split(".")
    content = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
    keys = KeySet.import_key_set(world.holding.http.get("/oauth/jwks").json)
    assert jws.deserialize_compact(f"{protected}.{content}.{proof}", keys).payload == body


def test_only_who_holds_a_record_of_the_person_is_told(world: World, receiver: Receiver) -> None:
    subscribe(world, world.asking, "split", receiver)
    receiver.arrived.clear()
    happen(world, UNLINKED)
    deliver(world)
    assert receiver.arrived == []


def test_a_link_names_to_each_establishment_its_own_record(world: World, receiver: Receiver) -> None:
    subscribe(world, world.holding, "link", receiver)
    subscribe(world, world.asking, "link", receiver)
    receiver.arrived.clear()
    record = link(world, world.asking)
    deliver(world)
    focuses = {one["focus"]["reference"].rpartition("/")[2] for said in receiver.said() for one in said["events"]}
    assert focuses == {str(record), str(world.record_at_holder)}


def test_consents_and_revocations_are_told_to_whom_they_permit(world: World, receiver: Receiver) -> None:
    link(world, world.asking)
    subscribe(world, world.asking, "consent", receiver)
    subscribe(world, world.asking, "revocation", receiver)
    subscribe(world, world.holding, "consent", receiver)
    receiver.arrived.clear()
    world.grant(launch=world.request_access()["id"])
    deliver(world)
    granted = receiver.said()
    assert [one["topic"] for one in granted] == [canonical("consent")]
    focus = granted[0]["events"][0]["focus"]["reference"]

    def revoke(session: Any) -> None:
        for one in list_consents(session, [world.person_id]):
            if one.status == "active":
                revoke_consent(session, one.id, world.evidence())

    world.transact(revoke)
    deliver(world)
    revoked = receiver.said()[-1]
    assert revoked["topic"] == canonical("revocation")
    assert revoked["events"][0]["focus"]["reference"] == focus


def test_what_does_not_arrive_is_retried_given_up_in_sight_and_sent_again_on_request(
    world: World, receiver: Receiver
) -> None:
    subscription = subscribe(world, world.holding, "merge", receiver)
    receiver.status = 503
    happen(world, MERGED)
    for _ in range(MAX_ATTEMPTS):
        deliver(world)
        world.broker.breakers.report(f"signals {receiver.url}", success=True)
    path = f"{PATH}/{subscription}"
    resting = call(world.holding, "GET", path).json
    assert (resting["status"], resting["error"]) == ("error", "status-503")
    status = call(world.holding, "GET", f"{path}/$status").json["entry"][0]["resource"]
    error = next(one for one in status["parameter"] if one["name"] == "error")
    assert error["valueCodeableConcept"]["text"].startswith("1 notifications were given up")
    receiver.status = 200
    receiver.arrived.clear()
    again = call(world.holding, "PUT", path, json=resting | {"status": "requested"})
    assert again.status_code == 200, again.text
    deliver(world)
    deliver(world)
    assert [one["type"] for one in receiver.said()] == ["handshake", "event-notification"]
    assert call(world.holding, "GET", path).json["status"] == "active"


def test_a_dead_address_makes_one_version_however_much_is_given_up(world: World, receiver: Receiver) -> None:
    subscription = subscribe(world, world.holding, "merge", receiver)
    receiver.status = 503
    for _ in range(3):
        happen(world, MERGED)
    world.transact(outbox.relay)
    last = update(Signal).where(Signal.delivered_at.is_(None)).values(attempts=MAX_ATTEMPTS - 1)
    world.transact(lambda session: session.execute(last))
    deliver(world)
    given_up = select(Signal.id).where(Signal.delivered_at.is_(None), Signal.attempts == MAX_ATTEMPTS)
    assert len(world.transact(lambda session: session.scalars(given_up).all())) > 1
    versions = call(world.holding, "GET", f"{PATH}/{subscription}/_history").json["entry"]
    assert [one["resource"]["status"] for one in versions] == ["error", "active", "requested"]


def test_an_operator_sends_it_again_too(world: World, receiver: Receiver) -> None:
    subscription = subscribe(world, world.holding, "merge", receiver)
    happen(world, MERGED)
    deliver(world)
    receiver.arrived.clear()
    since = world.transact(lambda session: session.get_one(Subscription, UUID(subscription)).created_at)
    world.transact(lambda session: replay(session, world.holding.establishment_id, since))
    deliver(world)
    assert "event-notification" in {one["type"] for one in receiver.said()}


@pytest.mark.parametrize(
    "change",
    [{"suspended_at": now()}, {"accredited_until": now() - timedelta(days=1)}, {"scopes": ["system/Patient.rs"]}],
    ids=["suspended", "accreditation-ended", "without-the-scope"],
)
def test_a_system_that_is_not_served_is_not_told_until_it_is_again(
    world: World, receiver: Receiver, change: dict[str, Any]
) -> None:
    subscribe(world, world.holding, "merge", receiver)
    receiver.arrived.clear()
    mine = RecordSystem.client_id == world.holding.client_id
    query = select(*(getattr(RecordSystem, name) for name in change)).where(mine)
    [before] = world.transact(lambda session: session.execute(query).all())
    world.transact(lambda session: session.execute(update(RecordSystem).where(mine).values(change)))
    happen(world, MERGED)
    deliver(world)
    again = update(RecordSystem).where(mine).values(dict(zip(change, before, strict=True)))
    world.transact(lambda session: session.execute(again))
    assert receiver.arrived == []
    deliver(world)
    assert len(receiver.said()) == 1


def test_what_was_told_can_be_read_again(world: World, receiver: Receiver) -> None:
    subscription = subscribe(world, world.holding, "merge", receiver)
    happen(world, MERGED)
    happen(world, MERGED)
    deliver(world)
    path = f"{PATH}/{subscription}/$events"
    every = told(call(world.holding, "GET", path).json)
    assert (every["type"], [one["event-number"]["valueString"] for one in every["events"]]) == (
        "query-event",
        ["1", "2"],
    )
    second = told(call(world.holding, "GET", f"{path}?eventsSinceNumber=2&eventsUntilNumber=2").json)
    assert len(second["events"]) == 1
    assert call(world.asking, "GET", path).status_code == 404
    assert call(world.holding, "GET", f"{path}?eventsSinceNumber=dos").status_code == 400


def test_the_same_again_is_the_same_and_the_end_is_the_end(world: World, receiver: Receiver) -> None:
    subscription = subscribe(world, world.holding, "merge", receiver)
    same = call(world.holding, "POST", PATH, json=asked("merge", receiver.url))
    assert (same.status_code, same.json["id"]) == (200, subscription)
    found = call(world.holding, "GET", f"{PATH}?status=active").json
    assert [one["resource"]["id"] for one in found["entry"]] == [subscription]
    assert call(world.asking, "DELETE", f"{PATH}/{subscription}").status_code == 404
    assert call(world.holding, "DELETE", f"{PATH}/{subscription}").status_code == 204
    receiver.arrived.clear()
    happen(world, MERGED)
    deliver(world)
    assert receiver.arrived == []
    off = call(world.holding, "GET", f"{PATH}/{subscription}").json
    assert call(world.holding, "PUT", f"{PATH}/{subscription}", json=off | {"status": "requested"}).status_code == 409


def test_what_rests_for_a_month_is_over(world: World, receiver: Receiver) -> None:
    made = call(world.holding, "POST", PATH, json=asked("merge", receiver.url)).json["id"]
    long_ago = (
        update(Subscription).where(Subscription.id == UUID(made)).values(changed_at=Subscription.changed_at - MONTH)
    )
    world.transact(lambda session: session.execute(long_ago))
    world.transact(purge)
    waiting = select(Signal).where(Signal.subscription_id == UUID(made), Signal.delivered_at.is_(None))
    assert call(world.holding, "GET", f"{PATH}/{made}").json["status"] == "off"
    assert world.transact(lambda session: session.scalars(waiting).all()) == []


def test_what_was_due_for_a_month_is_not_kept(world: World, receiver: Receiver) -> None:
    """Of a subscription that is served, whose system is not: what waits is no more waited for."""
    subscription = UUID(subscribe(world, world.holding, "merge", receiver))
    for _ in range(2):
        happen(world, MERGED)
        world.transact(outbox.relay)
    waiting = select(Signal.number).where(Signal.subscription_id == subscription, Signal.delivered_at.is_(None))
    first = update(Signal).where(Signal.subscription_id == subscription, Signal.number == 1)
    world.transact(lambda session: session.execute(first.values(available_at=Signal.available_at - MONTH)))
    world.transact(purge)
    assert world.transact(lambda session: session.scalars(waiting).all()) == [2]
    assert call(world.holding, "GET", f"{PATH}/{subscription}").json["status"] == "active"


def test_each_version_can_be_read_again(world: World, receiver: Receiver) -> None:
    path = f"{PATH}/{subscribe(world, world.holding, 'merge', receiver)}"
    newest = call(world.holding, "GET", path)
    stale = call(world.holding, "PUT", path, json=newest.json | {"status": "off"}, headers={"If-Match": 'W/"1"'})
    assert stale.status_code == 412
    ended = call(world.holding, "PUT", path, json=newest.json | {"status": "off"}, headers={"If-Match": 'W/"2"'})
    assert ended.headers["Location"].endswith(f"{path}/_history/3")
    history = call(world.holding, "GET", f"{path}/_history").json
    said = [(one["resource"]["meta"]["versionId"], one["resource"]["status"]) for one in history["entry"]]
    assert said == [("3", "off"), ("2", "active"), ("1", "requested")]
    assert [one["request"]["method"] for one in history["entry"]] == ["PUT", "PUT", "POST"]
    second = call(world.holding, "GET", f"{path}/_history/2")
    assert (second.json, second.headers["ETag"]) == (newest.json, 'W/"2"')
    assert call(world.holding, "GET", f"{path}/_history/4").status_code == 404
    assert call(world.asking, "GET", f"{path}/_history").status_code == 404
    assert call(world.asking, "GET", f"{path}/_history/1").status_code == 404


def test_the_same_asked_many_times_at_once_is_one(world: World, receiver: Receiver) -> None:
    token = world.holding.client_token(SCOPE)
    with ThreadPoolExecutor(6) as pool:
        made = list(
            pool.map(
                lambda _: world.holding.call("POST", PATH, token, json=asked("split", f"{receiver.url}/once")), range(6)
            )
        )
    assert sorted(one.status_code for one in made) == [200] * 5 + [201]
    assert len({one.json["id"] for one in made}) == 1


@pytest.mark.parametrize(
    ("endpoint", "code"),
    [
        ("http://hooks.example.pe/", 422),
        ("https://10.0.0.7/hook", 422),
        ("https://169.254.169.254/latest", 422),
        ("https://[::ffff:10.0.0.7]/", 422),
        ("ftp://hooks.example.pe/", 422),
        ("https://u:p@hooks.example.pe/", 400),
        ("https://hooks.example.pe/#x", 400),
        ("not an address", 400),
        ("https://[x", 400),
        ("https://[10.0.0.7]/", 400),
        ("https://hooks.example.pe:99999/", 400),
        ("https://hooks.example.pe:0/", 400),
        ("", 400),
    ],
)
def test_an_address_that_leads_inside_is_refused(world: World, endpoint: str, code: int) -> None:
    answer = call(world.holding, "POST", PATH, json=asked("merge", endpoint))
    assert answer.status_code == code, answer.text
    assert answer.json["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "changes",
    [
        {"criteria": "Patient?name=a"},
        {"status": "active"},
        {"channel": {"type": "email"}},
        {"channel": {"header": ["Authorization: x"]}},
        {"channel": {"payload": "application/xml"}},
        {"end": "2020-01-01T00:00:00Z"},
        {"end": "mañana"},
        {"end": "9999-12-31T23:59:59-14:00"},
        {"surprise": 1},
        {"channel": 7},
    ],
    ids=[
        "query",
        "status",
        "channel",
        "header",
        "payload",
        "past",
        "no-instant",
        "no-year",
        "unknown-element",
        "no-channel",
    ],
)
def test_what_is_not_offered_is_said(world: World, receiver: Receiver, changes: dict[str, Any]) -> None:
    body = asked("merge", receiver.url)
    channel = changes.get("channel")
    body |= changes | ({"channel": body["channel"] | channel} if isinstance(channel, dict) else {})
    answer = call(world.holding, "POST", PATH, json=body)
    assert answer.status_code in {400, 422}, answer.text


def test_without_the_scope_nobody_asks(world: World, receiver: Receiver) -> None:
    token = world.holding.client_token("system/Patient.rs")
    assert claims_of(token)["scope"] == "system/Patient.rs"
    assert world.holding.call("POST", PATH, token, json=asked("merge", receiver.url)).status_code == 403
