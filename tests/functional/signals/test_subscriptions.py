"""Establishments ask to be told, and are: signed, ids only, about their own patients, until it has arrived."""

import base64
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from joserfc import jws
from joserfc.jwk import KeySet
from sqlalchemy import Select, select, update

from consent_broker.consents.service import list_consents, revoke_consent
from consent_broker.signals.models import Signal, Subscription
from consent_broker.signals.service import MAX_ATTEMPTS, replay
from consent_broker.signals.topics import canonical
from registry import outbox
from registry.database import now
from registry.directory.models import RecordSystem
from registry.identity.notices import MERGED, UNLINKED
from tests.functional.oauth.world import World
from tests.functional.signals.subscribing import PATH, Receiver, call, deliver, happen, link, subscribe, told

pytestmark = pytest.mark.usefixtures("fresh")


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


def test_links_that_come_together_are_told_one_by_one(world: World, receiver: Receiver) -> None:
    """As a file brings them: each has its number, and an establishment's other records are not named."""
    link(world, world.asking)
    world.transact(outbox.relay)
    subscriptions = [subscribe(world, party, "link", receiver) for party in (world.holding, world.asking)]
    records = [str(link(world, world.asking)) for _ in range(3)]
    world.transact(outbox.relay)
    query = select(Signal.number, Signal.subject).where(Signal.kind == "link").order_by(Signal.number)
    theirs, own = (
        [tuple(row) for row in world.transact(lambda session, key=key: session.execute(mine(query, key)).all())]
        for key in subscriptions
    )
    assert theirs == [(number, str(world.record_at_holder)) for number in (1, 2, 3)]
    assert own == list(enumerate(records, 1))
    said = world.transact(lambda session: session.get_one(Subscription, UUID(subscriptions[1])).events)
    assert said == len(records)


def mine(query: Select[Any], subscription: str) -> Select[Any]:
    return query.where(Signal.subscription_id == UUID(subscription))


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
    since = {"resourceType": "Parameters", "parameter": [{"name": "eventsSinceNumber", "valueString": "2"}]}
    assert told(call(world.holding, "POST", path, json=since).json)["events"] == second["events"]
    assert call(world.asking, "GET", path).status_code == 404
    assert call(world.holding, "GET", f"{path}?eventsSinceNumber=dos").status_code == 400
