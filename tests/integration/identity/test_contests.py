"""A citizen says that a record is not theirs: it is withheld at once, a steward looks, and the citizen is told."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from registry.audit.models import AuditEvent
from registry.database import new_id
from registry.errors import Conflict, InvalidInput, NotFound, TooManyRequests
from registry.identity.models import Contest, PossibleMatch, SourceRecord
from registry.identity.persons import list_person_ids
from registry.identity.service import Engine, find_citizen
from registry.identity.stewardship import (
    Claim,
    Claimant,
    Grounds,
    Judgement,
    Steward,
    confirm,
    contest,
    decide,
    list_cases,
    list_contests,
    merge,
    undo,
    withdraw,
)
from registry.locator.service import locate
from registry.outbox import OutboxMessage
from tests.integration.identity.conftest import PEDRO, ROSA, Register, assert_history_holds, misspelt, snapshot

WHY = Grounds(reason="citizen-said")
Contested = Callable[[], set[UUID]]


@pytest.fixture
def mine(register: Register) -> list[UUID]:
    """A person with two records: the person, the first record, the second."""
    first, second = register(ROSA), register(misspelt(ROSA))
    return [first.person_id, first.source_record_id, second.source_record_id]


def claim(session: Session, person_id: UUID, record_id: UUID, reason: str = "never-attended") -> Contest:
    return contest(session, Claim(claimant=Claimant(person_id=person_id), source_record_id=record_id, reason=reason))


def withheld(session: Session, person_id: UUID) -> set[UUID]:
    return {holder.source_record_id for holder in locate(session, person_id) if holder.contested}


def verdict(what: str) -> Judgement:
    return Judgement(verdict=what, grounds=WHY)  # type: ignore[arg-type]


def test_contested_record_is_withheld_at_once_and_a_steward_is_asked(
    session: Session, steward: Steward, mine: list[UUID]
) -> None:
    person, _, record = mine
    made = claim(session, person, record)
    assert withheld(session, person) == {record}
    [line] = list_cases(session, steward)
    assert (line.reason, line.source_record_id, line.rivals, line.contested) == ("contested", record, [person], True)
    session.flush()
    event = session.scalars(select(AuditEvent).where(AuditEvent.action == "identity:record:contested")).one()
    assert (event.person_id, event.actor_role, event.source_record_id) == (person, "patient", record)
    assert claim(session, person, record).id == made.id


def test_upheld_claim_parts_the_record_and_tells_the_citizen(
    session: Session, engine: Engine, steward: Steward, mine: list[UUID]
) -> None:
    person, first, record = mine
    claim(session, person, record)
    made = decide(session, engine, steward, list_cases(session, steward)[0].id, verdict("different"))
    members, _ = snapshot(session)
    assert members[first] == person != members[record]
    [found] = list_contests(session, [person])
    assert (found.status, found.decision_id) == ("upheld", made.id)
    topic = OutboxMessage.topic == "identity:record:contest-settled"
    assert session.scalars(select(OutboxMessage.payload).where(topic)).one() == {"contest_id": str(found.id)}
    assert list_cases(session, steward) == []
    assert_history_holds(session)
    undo(session, engine, steward, made.id, WHY)
    assert withheld(session, person) == {record}
    assert list_contests(session, [person])[0].status == "open"


def test_dismissed_claim_releases_the_record_and_is_not_made_again_on_the_same_data(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    place = new_id()
    person = register(ROSA).person_id
    record = register(misspelt(ROSA), at=place).source_record_id
    claim(session, person, record)
    decide(session, engine, steward, list_cases(session, steward)[0].id, verdict("same"))
    assert withheld(session, person) == set()
    assert list_contests(session, [person])[0].status == "dismissed"
    with pytest.raises(Conflict) as refused:
        claim(session, person, record)
    assert refused.value.error_code == "already-reviewed"
    register(replace(misspelt(ROSA), phone="999888777"), at=place)
    claim(session, person, record)
    assert withheld(session, person) == {record}


def test_undo_keeps_the_claim_of_whoever_the_record_had_come_to(
    session: Session, engine: Engine, steward: Steward, mine: list[UUID]
) -> None:
    person, _, record = mine
    claim(session, person, record)
    made = decide(session, engine, steward, list_cases(session, steward)[0].id, verdict("different"))
    claim(session, snapshot(session)[0][record], record)
    undo(session, engine, steward, made.id, WHY)
    assert [one.status for one in list_contests(session, list_person_ids(session, person))] == ["open", "upheld"]
    assert withheld(session, person) == {record}
    assert_history_holds(session)


def test_undone_merge_upholds_the_claim_that_the_record_is_not_theirs(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    rosa, pedro = register(ROSA), register(PEDRO)
    made = merge(session, engine, steward, (rosa.person_id, pedro.person_id), WHY, survivor=rosa.person_id)
    claim(session, rosa.person_id, pedro.source_record_id)
    undone = undo(session, engine, steward, made.id, WHY)
    [found] = list_contests(session, [rosa.person_id])
    assert (found.status, found.decision_id) == ("upheld", undone.id)
    assert withheld(session, pedro.person_id) == set()


def test_undo_leaves_a_dismissed_claim_where_the_record_was_claimed_again(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    place = new_id()
    person = register(ROSA).person_id
    record = register(misspelt(ROSA), at=place).source_record_id
    claim(session, person, record)
    made = decide(session, engine, steward, list_cases(session, steward)[0].id, verdict("same"))
    register(replace(misspelt(ROSA), phone="999888777"), at=place)
    claim(session, person, record)
    undo(session, engine, steward, made.id, WHY)
    assert [one.status for one in list_contests(session, [person])] == ["open", "dismissed"]
    assert withheld(session, person) == {record}


def test_feed_does_not_end_a_claim(session: Session, engine: Engine, steward: Steward, register: Register) -> None:
    place = new_id()
    person = register(ROSA).person_id
    record = register(misspelt(ROSA), at=place).source_record_id
    claim(session, person, record)
    register(replace(misspelt(ROSA), phone="999888777"), at=place)
    assert withheld(session, person) == {record}
    [line] = list_cases(session, steward)
    assert (line.reason, line.contested) == ("contested", True)


def test_record_that_leaves_by_itself_upholds_the_claim(session: Session, steward: Steward, register: Register) -> None:
    place = new_id()
    person = register(ROSA).person_id
    record = register(misspelt(ROSA), at=place).source_record_id
    claim(session, person, record)
    other = replace(ROSA, documents=(), paternal_surname="Zubiaurre", given_names="Anacleta", birth_date=None)
    register(other, at=place)
    assert list_contests(session, [person])[0].status == "upheld"
    assert list_cases(session, steward) == []


def test_only_record_of_a_person_may_be_contested_and_leaves_it_empty(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    only = register(ROSA)
    claim(session, only.person_id, only.source_record_id)
    decide(session, engine, steward, list_cases(session, steward)[0].id, verdict("different"))
    members, persons = snapshot(session)
    assert members[only.source_record_id] != only.person_id
    assert persons[only.person_id] == ("empty", None)
    assert_history_holds(session)


def test_claim_joins_the_case_there_is(
    session: Session, engine: Engine, steward: Steward, register: Register, doubt: object
) -> None:
    [line] = list_cases(session, steward)
    claim(session, line.person_id, line.source_record_id)
    [joined] = list_cases(session, steward)
    assert (joined.id, set(joined.rivals)) == (line.id, {line.person_id, *line.rivals})


def test_claim_can_be_taken_back_by_who_made_it(session: Session, steward: Steward, mine: list[UUID]) -> None:
    person, _, record = mine
    made = claim(session, person, record)
    with pytest.raises(NotFound):
        withdraw(session, made.id, Claimant(person_id=new_id()))
    assert withdraw(session, made.id, Claimant(person_id=person)).status == "withdrawn"
    assert withheld(session, person) == set()
    assert list_cases(session, steward) == []
    with pytest.raises(Conflict):
        withdraw(session, made.id, Claimant(person_id=person))


def test_claims_are_bounded_and_only_about_ones_own(session: Session, register: Register) -> None:
    person = register(ROSA).person_id
    records = [register(misspelt(ROSA)).source_record_id for _ in range(6)]
    stranger = register(replace(ROSA, documents=(), paternal_surname="Zubiaurre", given_names="Anacleta"))
    for record in records[:5]:
        claim(session, person, record)
    with pytest.raises(TooManyRequests):
        claim(session, person, records[5])
    for record in (stranger.source_record_id, new_id()):
        with pytest.raises(NotFound):
            claim(session, person, record)
    with pytest.raises(InvalidInput):
        claim(session, person, records[0], reason="whim")


def test_claims_of_one_month_are_bounded(session: Session, register: Register) -> None:
    person = register(ROSA).person_id
    record = register(misspelt(ROSA)).source_record_id
    for _ in range(10):
        withdraw(session, claim(session, person, record).id, Claimant(person_id=person))
    with pytest.raises(TooManyRequests):
        claim(session, person, record)
    assert session.scalars(select(PossibleMatch).where(PossibleMatch.status == "open")).all() == []


@pytest.mark.parametrize("alone", [False, True])
def test_record_taken_away_is_not_the_citizens_though_it_carries_their_confirmed_number(
    session: Session, engine: Engine, steward: Steward, register: Register, alone: bool
) -> None:
    mine = None if alone else register(ROSA)
    false = register(misspelt(ROSA))
    session.execute(update(SourceRecord).values(verified=True))
    claim(session, false.person_id, false.source_record_id)
    decide(session, engine, steward, list_cases(session, steward)[0].id, verdict("different"))
    citizen = find_citizen(session, engine.sealer, ROSA.documents[0], ROSA, confirmed=True)
    assert citizen == (mine.person_id if mine else None)


def test_claim_taken_back_voids_a_decision_that_waits(
    session: Session, engine: Engine, steward: Steward, second: Steward, mine: list[UUID]
) -> None:
    person, _, record = mine
    made = claim(session, person, record)
    careful = replace(engine, four_eyes_above=1)
    waiting = decide(session, careful, steward, list_cases(session, steward)[0].id, verdict("different"))
    assert waiting.state == "pending"
    withdraw(session, made.id, Claimant(person_id=person))
    with pytest.raises(Conflict) as refused:
        confirm(session, careful, second, waiting.id)
    assert refused.value.error_code == "case-closed"
    assert snapshot(session)[0][record] == person
