"""Taking a decision back restores exactly what was, or is refused because of what came later."""

from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from registry.database import new_id
from registry.errors import Conflict, InvalidInput
from registry.identity.deciding import decide, merge, split
from registry.identity.decisions import get_decision
from registry.identity.models import PossibleMatch
from registry.identity.persons import find_person
from registry.identity.service import Engine
from registry.identity.stewards import Steward
from registry.identity.undoing import undo
from registry.identity.worklist import get_line, list_cases
from tests.integration.identity.conftest import (
    PEDRO,
    ROSA,
    WHY,
    Doubt,
    Register,
    assert_history_holds,
    different,
    misspelt,
    same,
    snapshot,
    where,
)


def test_merge_and_undo_is_identity(session: Session, engine: Engine, steward: Steward, doubt: Doubt) -> None:
    before, case = snapshot(session), get_line(session, doubt.case_id)
    made = decide(session, engine, steward, doubt.case_id, same())
    assert snapshot(session) != before
    undone = undo(session, engine, steward, made.id, WHY)
    assert snapshot(session) == before
    assert (undone.undoes, get_decision(session, made.id).state) == (made.id, "undone")
    again = get_line(session, doubt.case_id)
    assert (again.status, list(again.rivals), again.closed_at) == ("open", list(case.rivals), None)
    assert_history_holds(session)
    with pytest.raises(Conflict):
        undo(session, engine, steward, made.id, WHY)


def test_undo_is_refused_where_something_came_later_and_says_what(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    one, other, place = register(ROSA), register(PEDRO), new_id()
    third = register(replace(PEDRO, documents=(), birth_date=None, paternal_surname="Quiroga"), at=place)
    first = merge(session, engine, steward, (one.person_id, other.person_id), WHY, survivor=one.person_id)
    later = merge(session, engine, steward, (one.person_id, third.person_id), WHY, survivor=third.person_id)
    with pytest.raises(Conflict) as refused:
        undo(session, engine, steward, first.id, WHY)
    assert (refused.value.error_code, str(later.id) in str(refused.value.hint)) == ("undo-impossible", True)
    undo(session, engine, steward, later.id, WHY)
    undo(session, engine, steward, first.id, WHY)
    assert where(session, other.source_record_id) == other.person_id
    assert_history_holds(session)


def test_undo_is_refused_where_the_record_has_moved_by_newer_data(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    place = new_id()
    record, pedro, rosa = register(ROSA, at=place), register(PEDRO), register(misspelt(ROSA))
    other = register(replace(PEDRO, documents=(), birth_date=None, paternal_surname="Quiroga"))
    made = split(session, engine, steward, rosa.person_id, [record.source_record_id], WHY)
    joined = merge(session, engine, steward, (where(session, record.source_record_id), other.person_id), WHY)
    moved = register(replace(PEDRO, phone="987654321"), at=place)
    assert moved.person_id == pedro.person_id
    for decision in (joined, made):
        with pytest.raises(Conflict) as refused:
            undo(session, engine, steward, decision.id, WHY)
        assert refused.value.error_code == "undo-impossible"
    assert_history_holds(session)


def test_undo_joins_nobody_a_later_decision_told_apart(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    """A leaves B, is told apart from C, and C joins B: putting A back would join what was told apart."""
    first, second = register(ROSA), register(misspelt(ROSA))
    made = split(session, engine, steward, first.person_id, [first.source_record_id], WHY)
    third = register(PEDRO)
    session.add(
        PossibleMatch(
            source_record_id=first.source_record_id, version=1, rivals=[third.person_id], reason="possible-match",
            weight=1.0, contributions=[], model_hash="",
        )
    )  # fmt: skip
    session.flush()
    case = next(line for line in list_cases(session, steward) if line.source_record_id == first.source_record_id)
    later = decide(session, engine, steward, case.id, different(other=third.person_id))
    merge(session, engine, steward, (first.person_id, third.person_id), WHY, survivor=first.person_id)
    with pytest.raises(Conflict) as refused:
        undo(session, engine, steward, made.id, WHY)
    assert (refused.value.error_code, str(later.id) in str(refused.value.hint)) == ("undo-impossible", True)
    undo(session, engine, steward, later.id, WHY)
    undo(session, engine, steward, made.id, WHY)
    assert where(session, first.source_record_id) == where(session, second.source_record_id)


def test_split_gives_records_a_person_of_their_own_and_undo_gives_them_back(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    first, guest = register(ROSA), register(misspelt(ROSA))
    before = snapshot(session)[0]
    made = split(session, engine, steward, first.person_id, [guest.source_record_id], WHY)
    own = where(session, guest.source_record_id)
    assert own != first.person_id
    undo(session, engine, steward, made.id, WHY)
    assert snapshot(session)[0] == before
    led = find_person(session, own)
    assert led is not None
    assert led.id == first.person_id
    assert_history_holds(session)
    for records in ([], [first.source_record_id, guest.source_record_id], [new_id()]):
        with pytest.raises(InvalidInput):
            split(session, engine, steward, first.person_id, records, WHY)
