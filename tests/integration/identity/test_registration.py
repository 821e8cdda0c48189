"""Registering a source record: versions, links, moves, and what is written beside them."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import delete, event, func, select
from sqlalchemy.orm import Session

from matching.blocking import blocking_keys
from matching.normalise import normalise
from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.audit.models import AuditEvent
from registry.database import new_id
from registry.identity.engine import Engine, blind_keys
from registry.identity.events import replay
from registry.identity.models import (
    BlockingToken,
    Membership,
    MembershipEvent,
    Person,
    PossibleMatch,
    SourceRecordVersion,
)
from registry.identity.service import VersionMismatch
from registry.outbox import OutboxMessage
from registry.sealing import DataKey
from tests.integration.identity.conftest import PEDRO, ROSA, Register, misspelt


def test_first_record_makes_a_person(register: Register) -> None:
    outcome = register(ROSA)
    assert (outcome.decision, outcome.version, outcome.created) == ("new", 1, True)


def test_misspelt_record_of_another_establishment_is_linked(session: Session, register: Register) -> None:
    first, second = register(ROSA), register(misspelt(ROSA))
    assert second.person_id == first.person_id
    assert second.decision == "link"
    linked = session.scalars(select(MembershipEvent).order_by(MembershipEvent.position.desc())).first()
    assert linked.weight > 0
    assert {part[0] for part in linked.contributions} > {"document", "paternal", "birth"}


def test_patient_of_whom_nothing_is_known_is_welcome(register: Register) -> None:
    outcomes = [register(Demographics(), number=str(number)) for number in range(2)]
    assert len({outcome.person_id for outcome in outcomes}) == 2
    assert {outcome.decision for outcome in outcomes} == {"new"}


def test_strangers_stay_apart(register: Register) -> None:
    assert register(ROSA).person_id != register(PEDRO).person_id


def test_same_content_again_changes_nothing(session: Session, register: Register) -> None:
    place = new_id()
    first = register(ROSA, at=place)
    again = register(ROSA, at=place)
    assert (again.decision, again.version, again.created) == ("unchanged", 1, False)
    assert (again.source_record_id, again.person_id) == (first.source_record_id, first.person_id)
    assert session.scalar(select(func.count()).select_from(SourceRecordVersion)) == 1


def test_local_number_of_another_establishment_is_another_record(register: Register) -> None:
    assert register(ROSA, number="7").source_record_id != register(PEDRO, number="7").source_record_id


def test_new_content_is_a_new_version_in_the_same_person(session: Session, register: Register) -> None:
    place = new_id()
    first = register(ROSA, at=place)
    second = register(replace(ROSA, phone="999888777"), at=place)
    assert (second.decision, second.version, second.person_id) == ("keep", 2, first.person_id)
    assert session.scalar(select(func.count()).select_from(MembershipEvent)) == 1


def test_a_corrected_record_is_found_by_what_it_says_now_only(
    session: Session, engine: Engine, register: Register
) -> None:
    place, other = new_id(), register(PEDRO).source_record_id
    record = register(ROSA, at=place).source_record_id
    corrected = replace(ROSA, given_names="Flor", phone="999888777")
    register(corrected, at=place)
    assert _tokens(session, record) == blind_keys(engine.sealer, blocking_keys(normalise(corrected)))
    assert _tokens(session, other) == blind_keys(engine.sealer, blocking_keys(normalise(PEDRO)))


def test_a_record_whose_key_was_destroyed_may_speak_again(session: Session, engine: Engine, register: Register) -> None:
    place = new_id()
    record = register(ROSA, at=place).source_record_id
    session.execute(delete(DataKey).where(DataKey.owner_id == record))
    session.expire_all()
    register(replace(ROSA, phone="999888777"), at=place)
    now = blind_keys(engine.sealer, blocking_keys(normalise(replace(ROSA, phone="999888777"))))
    assert set(now) <= set(_tokens(session, record))


def _tokens(session: Session, record: UUID) -> list[int]:
    return sorted(session.scalars(select(BlockingToken.token).where(BlockingToken.source_record_id == record)))


def test_corrected_record_moves_to_its_person_and_the_empty_one_points_there(
    session: Session, register: Register
) -> None:
    place, home = new_id(), register(ROSA)
    vague = register(Demographics(paternal_surname="Huamán", given_names="Rosa", sex="F"), at=place)
    assert vague.person_id != home.person_id
    corrected = register(ROSA, at=place)
    assert (corrected.decision, corrected.person_id) == ("link", home.person_id)
    left = session.get(Person, vague.person_id, populate_existing=True)
    assert (left.status, left.replaced_by) == ("replaced", home.person_id)


def test_number_given_to_someone_else_leaves_without_a_forwarding_address(session: Session, register: Register) -> None:
    place = new_id()
    before = register(ROSA, at=place)
    after = register(PEDRO, at=place)
    assert after.person_id != before.person_id
    left = session.get(Person, before.person_id, populate_existing=True)
    assert (left.status, left.replaced_by) == ("empty", None)


def test_doubt_goes_to_the_stewards_and_is_closed_by_better_data(session: Session, register: Register) -> None:
    place, home = new_id(), register(replace(ROSA, documents=()))
    doubtful = replace(ROSA, documents=(), maternal_surname=None, address=None, phone=None, given_names="Rosa")
    placed = register(replace(doubtful, ubigeo=None), at=place)
    assert placed.decision == "review"
    case = session.scalars(select(PossibleMatch)).one()
    assert (case.status, case.rivals) == ("open", [home.person_id])
    assert register(replace(ROSA, documents=()), at=place).decision == "link"
    session.refresh(case)
    assert case.status == "superseded"


def test_replaying_the_events_gives_the_memberships(session: Session, register: Register) -> None:
    place = new_id()
    for facts in (ROSA, PEDRO, misspelt(ROSA), PEDRO, ROSA):
        register(facts, at=place)
        register(facts)
    events = session.scalars(select(MembershipEvent).order_by(MembershipEvent.position)).all()
    state = replay(events)
    today = {row.source_record_id: row.person_id for row in session.scalars(select(Membership))}
    assert state.memberships == today
    replaced = session.execute(select(Person.id, Person.replaced_by).where(Person.replaced_by.is_not(None)))
    assert state.replaced_by == {row.id: row.replaced_by for row in replaced}


def test_wrong_expected_version_is_refused(register: Register) -> None:
    place = new_id()
    register(ROSA, at=place)
    with pytest.raises(VersionMismatch):
        register(PEDRO, at=place, expected_version=3)
    with pytest.raises(VersionMismatch):
        register(PEDRO, at=place, expected_version=0)
    assert register(replace(ROSA, phone=None), at=place, expected_version=1).version == 2


def test_audit_and_outbox_are_part_of_it(session: Session, register: Register) -> None:
    outcome = register(ROSA)
    session.flush()
    actions = session.scalars(select(AuditEvent.action).where(AuditEvent.person_id == outcome.person_id)).all()
    assert sorted(actions) == ["identity:person:linked", "identity:record:received"]
    message = session.scalars(select(OutboxMessage)).one()
    assert message.payload == {
        "person_id": str(outcome.person_id),
        "source_record_id": str(outcome.source_record_id),
    }


@pytest.mark.parametrize("neighbours", [1, 30])
def test_number_of_statements_does_not_grow(
    session: Session, register: Register, renhice: Renhice, neighbours: int
) -> None:
    for day in range(neighbours):
        register(replace(ROSA, documents=(Document(DocumentType.DNI, f"4071{day:04d}"),), birth_date=date(1984, 7, 19)))
    session.flush()
    statements: list[str] = []
    listen = (renhice.database.engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    event.listen(*listen)
    try:
        register(ROSA)
        session.flush()
    finally:
        event.remove(*listen)
    assert len(statements) <= 18, statements
