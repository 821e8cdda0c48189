"""A steward's verdict on a case and what comes of it: who is joined, who is told, what nobody may join."""

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from registry.errors import InvalidInput, Unprocessable
from registry.identity.deciding import decide, merge
from registry.identity.decisions import Grounds, read_note
from registry.identity.effects import preview
from registry.identity.models import SourceRecord
from registry.identity.persons import find_person
from registry.identity.service import Engine
from registry.identity.stewards import Steward
from registry.identity.worklist import get_line
from registry.outbox import OutboxMessage
from tests.integration.identity.conftest import (
    PEDRO,
    ROSA,
    WHY,
    Doubt,
    Register,
    assert_history_holds,
    same,
    where,
)


def test_same_joins_and_the_emptied_person_leads_on(
    session: Session, engine: Engine, steward: Steward, doubt: Doubt
) -> None:
    expected = preview(session, engine, steward, doubt.case_id, same())
    made = decide(
        session, engine, steward, doubt.case_id, same(grounds=Grounds(reason="other", note="Llamé al puesto"))
    )
    assert made.state == "applied"
    assert (expected.survivor, expected.replaced) == (doubt.home.person_id, doubt.placed.person_id)
    assert where(session, doubt.placed.source_record_id) == doubt.home.person_id
    led = find_person(session, doubt.placed.person_id)
    assert led is not None
    assert led.id == doubt.home.person_id
    assert get_line(session, doubt.case_id).status == "settled"
    assert read_note(session, engine.sealer, made.id) == "Llamé al puesto"
    assert_history_holds(session)


def test_establishments_concerned_are_told_by_ids_alone(
    session: Session, engine: Engine, steward: Steward, doubt: Doubt
) -> None:
    made = decide(session, engine, steward, doubt.case_id, same())
    topic = OutboxMessage.topic == "identity:person:merged"
    told = session.scalars(select(OutboxMessage).where(topic)).one()
    records = session.scalars(select(SourceRecord)).all()
    assert told.key == str(made.id)
    assert told.payload == {
        "person_id": str(doubt.placed.person_id),
        "other_person_id": str(doubt.home.person_id),
        "source_record_ids": [str(doubt.placed.source_record_id)],
        "establishment_ids": sorted(str(record.establishment_id) for record in records),
    }


def test_two_confirmed_dnis_are_joined_by_nobody(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    one, other = register(ROSA), register(PEDRO)
    session.execute(update(SourceRecord).values(verified=True))
    with pytest.raises(Unprocessable) as refused:
        merge(session, engine, steward, (one.person_id, other.person_id), WHY)
    assert refused.value.error_code == "verified-conflict"
    assert_history_holds(session)


def test_grounds_must_say_something(session: Session, engine: Engine, steward: Steward, doubt: Doubt) -> None:
    for grounds in (Grounds(reason="whim"), Grounds(reason="other"), Grounds(reason="names", note="x" * 1001)):
        with pytest.raises(InvalidInput):
            decide(session, engine, steward, doubt.case_id, same(grounds=grounds))
