"""A steward merges persons, and takes it back: what tokens, grants and consents do in the same commit."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.orm import Session

from consent_broker.consents.decision import Kind
from consent_broker.consents.regrouping import is_suspended, list_effects
from consent_broker.consents.service import Terms, list_consents, record_objection
from matching.records import Document, DocumentType
from registry.database import new_id, now
from registry.directory.documents import document_token
from registry.directory.models import StaffRole
from registry.identity.engine import engine_of
from registry.identity.stewardship import (
    Claim,
    Claimant,
    Decision,
    Grounds,
    Steward,
    contest,
    get_decision,
    merge,
    undo,
    withdraw,
)
from tests.functional.oauth.test_token_life import holder_token
from tests.functional.oauth.world import RECORDS, World, _add_record

DOCUMENT = Document(DocumentType.DNI, "80000001")
WHY = Grounds(reason="documents")


@pytest.fixture
def steward(world: World) -> Steward:
    token = document_token(world.renhice.sealer, DOCUMENT)

    def appoint(session: Session) -> None:
        session.add(StaffRole(document_token=token, sealed=b"-", role="steward", valid_until=now().replace(year=2099)))

    if not world.transact(lambda session: session.query(StaffRole).first()):
        world.transact(appoint)
    return Steward(handle=token.hex())


@pytest.fixture
def merged(world: World, steward: Steward) -> Iterator[Any]:
    """Merges the patient into the other person, or the other way round; undone afterwards."""
    made: list[Decision] = []
    world.transact(
        lambda session: _add_record(session, new_id(), world.holding.establishment_id, world.other_person_id)
    )

    def act(*, patient_survives: bool = False) -> Decision:
        survivor = world.person_id if patient_survives else world.other_person_id
        persons = (world.person_id, world.other_person_id)
        engine = engine_of(world.renhice)
        made.append(world.transact(lambda session: merge(session, engine, steward, persons, WHY, survivor)))
        return made[-1]

    yield act
    for decision in made:
        if world.transact(lambda session, made=decision: get_decision(session, made.id)).state == "applied":
            take_back(world, steward, decision)


def take_back(world: World, steward: Steward, decision: Decision) -> None:
    world.transact(lambda session: undo(session, engine_of(world.renhice), steward, decision.id, WHY))


def fetch(world: World, token: str) -> Any:
    path = f"/exchange/fhir/AllergyIntolerance?patient={world.person_id}"
    return world.asking.get(path, token)


def test_tokens_of_both_end_with_the_merge(world: World, merged: Any) -> None:
    held, granted = holder_token(world), world.grant(scope=RECORDS[0])
    assert world.holding.introspect(held)["active"]
    merged(patient_survives=True)
    assert world.holding.introspect(held) == {"active": False}
    assert fetch(world, granted["access_token"]).status_code == 401


def test_survivors_grant_lives_on_by_a_refresh(world: World, merged: Any) -> None:
    granted = world.grant(scope=f"{RECORDS[0]} offline_access")
    merged(patient_survives=True)
    answer = world.asking.refresh(granted["refresh_token"])
    assert answer.status_code == 200
    assert fetch(world, answer.json["access_token"]).status_code == 200


@pytest.mark.parametrize("client", ["asking", "app_client"])
def test_replaced_persons_grant_rests_and_lives_again_after_the_split(
    world: World, merged: Any, steward: Steward, client: str
) -> None:
    party = getattr(world, client)
    granted = world.grant(party, scope=f"{RECORDS[0]} offline_access")
    decision = merged()
    for _ in range(2):
        answer = party.refresh(granted["refresh_token"])
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    take_back(world, steward, decision)
    answer = party.refresh(granted["refresh_token"])
    assert answer.status_code == 200, answer.text


def test_effects_are_foretold(world: World) -> None:
    world.grant(scope=RECORDS[0])
    terms = Terms(
        person_id=world.other_person_id, establishment_id=None, categories=None, purposes=None, ends_at=None,
        kind=Kind.OBJECTION,
    )  # fmt: skip
    world.transact(lambda session: record_objection(session, terms, world.evidence(world.other_person_id)))
    effects = world.transact(lambda session: list_effects(session, world.other_person_id, world.person_id))
    assert {(one.effect, one.person_id) for one in effects} == {
        ("suspended", world.person_id),
        ("extended", world.other_person_id),
    }
    states = world.transact(lambda session: list_consents(session, [world.person_id]))
    assert all(is_suspended(state, world.other_person_id) for state in states)
    assert world.transact(lambda session: list_effects(session, world.person_id, None)) == []


def test_contested_record_is_withheld_from_tokens_and_gateway_at_once(world: World) -> None:
    held, granted = holder_token(world), world.grant(scope=RECORDS[0])
    me = Claimant(person_id=world.person_id)
    claim = Claim(claimant=me, source_record_id=world.record_at_holder, reason="never-attended")
    made = world.transact(lambda session: contest(session, claim))
    try:
        assert world.holding.introspect(held) == {"active": False}
        answer = fetch(world, granted["access_token"])
        [entry] = answer.json["entry"]
        assert entry["resource"]["issue"][0]["code"] == "conflict"
    finally:
        world.transact(lambda session: withdraw(session, made.id, me))
    assert world.holding.introspect(held)["active"]
