"""A file registered at once is what its records registered one after another are."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.linkage.generate import records
from benchmarks.online.load import SYSTEM, establishment, read
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.identity.batch.neighbours import Memory
from registry.identity.batch.preparing import prepare_batch
from registry.identity.batch.service import register_prepared
from registry.identity.models import BlockingToken, Membership, MembershipEvent, Person, PossibleMatch, SourceRecord
from registry.identity.records import find_own_record
from registry.identity.service import Content, Engine, Outcome, Registration, register_source_record
from registry.outbox import OutboxMessage
from tests.integration.identity.conftest import PEDRO, ROSA, misspelt

PERSONS = 40
Register = Callable[[Session, Engine, Sequence[Registration]], list[Outcome]]


def online(session: Session, engine: Engine, file: Sequence[Registration]) -> list[Outcome]:
    return [register_source_record(session, engine, one) for one in file]


def batch(size: int) -> Register:
    def act(session: Session, engine: Engine, file: Sequence[Registration]) -> list[Outcome]:
        memory, outcomes = Memory(most=50), list[Outcome]()
        for start in range(0, len(file), size):
            found = register_prepared(session, engine, memory, prepare_batch(engine, file[start : start + size]))
            outcomes += [one for one in found if isinstance(one, Outcome)]
        return outcomes

    return act


@pytest.fixture(scope="module")
def file() -> list[Registration]:
    """Records of several establishments; every ninth comes again, changed or not, under its own number."""
    found = [
        Registration(
            establishment_id=establishment(one.establishment),
            client_id="sihce",
            content=Content(SYSTEM, one.local_id, one.demographics),
        )
        for one in read(row for row, _ in records(7, PERSONS))
    ]
    again = [
        replace(one, content=replace(one.content, demographics=replace(one.content.demographics, phone=phone)))
        for one, phone in zip(found[::9], [one.content.demographics.phone for one in found[::9]][::-1], strict=True)
    ]
    return [*found[: len(found) // 2], *again[: len(again) // 3], *found[len(found) // 2 :], *again, *found[::20]]


def account(session: Session, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All that was written, with ids replaced by the order in which records came."""
    order: dict[UUID, int] = {}
    for outcome in outcomes:
        order.setdefault(outcome.source_record_id, len(order))
    persons: dict[UUID, int] = {}
    memberships = session.scalars(select(Membership)).all()
    for row in memberships:
        number = order[row.source_record_id]
        persons[row.person_id] = min(number, persons.get(row.person_id, number))
    events = session.scalars(select(MembershipEvent).order_by(MembershipEvent.position)).all()
    cases = session.scalars(select(PossibleMatch)).all()
    actions = select(AuditEvent.action, AuditEvent.detail, func.count()).group_by(AuditEvent.action, AuditEvent.detail)
    topics = select(OutboxMessage.topic, func.count()).group_by(OutboxMessage.topic)
    tokens = select(BlockingToken.source_record_id, func.count()).group_by(BlockingToken.source_record_id)
    kept = session.scalars(select(SourceRecord)).all()
    return {
        "decisions": [(order[one.source_record_id], one.decision, one.version, one.created) for one in outcomes],
        "members": sorted((order[one.source_record_id], persons[one.person_id]) for one in memberships),
        "events": [
            (one.kind, order[one.source_record_id], one.reason, one.weight and round(one.weight, 9), one.contributions)
            for one in events
        ],
        "cases": sorted(
            (
                order[c.source_record_id],
                c.reason,
                c.status,
                round(c.weight, 9),
                sorted(map(persons.get, c.rivals)),
            )
            for c in cases
        ),
        "audit": sorted((row.action, str(sorted(row.detail.items())), row[2]) for row in session.execute(actions)),
        "topics": {row.topic: row[1] for row in session.execute(topics)},
        "tokens": sorted((order[row[0]], row[1]) for row in session.execute(tokens)),
        "persons": sorted((one.status, one.revision) for one in session.scalars(select(Person))),
        "records": sorted((order[r.id], r.version, r.active, r.next_check_at is not None) for r in kept),
    }


def outcome_of(session: Session, engine: Engine, file: Sequence[Registration], register: Register) -> dict[str, Any]:
    look = session.begin_nested()
    outcomes = register(session, engine, file)
    session.flush()
    said = account(session, outcomes)
    look.rollback()
    session.expire_all()
    return said


def test_the_outcome_is_that_of_one_after_another(session: Session, engine: Engine, file: list[Registration]) -> None:
    expected = outcome_of(session, engine, file, online)
    assert {decision for _, decision, *_ in expected["decisions"]} >= {"new", "link", "keep", "unchanged"}
    for size in (len(file), 37):
        assert outcome_of(session, engine, file, batch(size)) == expected


def test_a_file_meets_what_came_online(session: Session, engine: Engine, file: list[Registration]) -> None:
    half = len(file) // 2

    def both(session: Session, engine: Engine, file: Sequence[Registration]) -> list[Outcome]:
        return online(session, engine, file[:half]) + batch(50)(session, engine, file[half:])

    assert outcome_of(session, engine, file, both) == outcome_of(session, engine, file, online)


def test_a_mother_named_by_her_number_is_looked_up_as_online(session: Session, engine: Engine) -> None:
    place, born = new_id(), replace(PEDRO, documents=(), birth_date=date(2026, 1, 2))
    file = [
        Registration(establishment_id=place, client_id="s", content=Content(SYSTEM, "1", ROSA)),
        Registration(establishment_id=place, client_id="s", content=Content(SYSTEM, "2", born, mother_number="1")),
    ]
    assert outcome_of(session, engine, file, batch(2)) == outcome_of(session, engine, file, online)
    outcomes = batch(2)(session, engine, file)
    own = find_own_record(session, engine.sealer, place, outcomes[1].source_record_id)
    assert own is not None
    assert own.member.content.demographics.mother_document == ROSA.documents[0]


def test_what_was_written_can_be_opened(session: Session, engine: Engine) -> None:
    place = new_id()
    one = Registration(establishment_id=place, client_id="sihce", content=Content(SYSTEM, "1", ROSA))
    [outcome] = batch(1)(session, engine, [one])
    own = find_own_record(session, engine.sealer, place, outcome.source_record_id)
    assert own is not None
    assert own.member.content == one.content
    other = Registration(establishment_id=new_id(), client_id="sihce", content=Content(SYSTEM, "1", misspelt(ROSA)))
    assert register_source_record(session, engine, other).person_id == outcome.person_id


def test_an_older_word_does_not_replace_a_newer_one(session: Session, engine: Engine) -> None:
    at = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2, 3)]
    newer, older, newest = (
        Registration(establishment_id=UUID(int=7), client_id="s", content=Content(SYSTEM, "1", facts), said_at=moment)
        for facts, moment in ((ROSA, at[1]), (PEDRO, at[0]), (misspelt(ROSA), at[2]))
    )
    outcomes = batch(10)(session, engine, [newer, older, newest])
    assert [(one.decision, one.version) for one in outcomes] == [("new", 1), ("stale", 1), ("keep", 2)]
    unchanged = batch(10)(session, engine, [newest, newer])
    assert [(one.decision, one.version) for one in unchanged] == [("unchanged", 2), ("stale", 2)]


def test_what_is_said_again_later_is_newer_than_what_was_said_between(session: Session, engine: Engine) -> None:
    at = [datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2, 3)]
    first, between, again = (
        Registration(establishment_id=UUID(int=8), client_id="s", content=Content(SYSTEM, "1", facts), said_at=moment)
        for facts, moment in ((ROSA, at[0]), (PEDRO, at[1]), (ROSA, at[2]))
    )
    for place, register in (8, online), (9, batch(1)), (10, batch(3)):
        file = [replace(one, establishment_id=UUID(int=place)) for one in (first, again, between)]
        assert [one.decision for one in register(session, engine, file)][1:] == ["unchanged", "stale"], place


def test_what_is_said_again_now_is_newer_than_what_was_said_before_now(session: Session, engine: Engine) -> None:
    place = UUID(int=11)
    first = Registration(establishment_id=place, client_id="s", content=Content(SYSTEM, "1", ROSA))
    online(session, engine, [first])
    late = replace(first, content=Content(SYSTEM, "1", PEDRO), said_at=now())
    assert [one.decision for one in online(session, engine, [first, late])] == ["unchanged", "stale"]
