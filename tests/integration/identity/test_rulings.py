"""What was told apart or found the same stays so until the data change, also against what RENIEC confirms."""

from dataclasses import replace

from sqlalchemy.orm import Session

from registry.database import new_id
from registry.identity.deciding import decide, merge
from registry.identity.decisions import list_decisions
from registry.identity.service import Engine
from registry.identity.stewards import Steward
from registry.identity.verification import verify_record
from registry.identity.worklist import count_cases, get_line, list_cases
from registry.pide.port import Names
from tests.integration.identity.conftest import (
    PEDRO,
    ROSA,
    VAGUE,
    WHY,
    Doubt,
    Register,
    assert_history_holds,
    different,
    misspelt,
    same,
    where,
)
from tests.integration.identity.test_verification import Reniec


def test_what_was_told_apart_is_not_asked_again_until_the_data_change(
    session: Session, engine: Engine, steward: Steward, register: Register, doubt: Doubt
) -> None:
    made = decide(session, engine, steward, doubt.case_id, different())
    assert get_line(session, doubt.case_id).status == "settled"
    moved = register(replace(VAGUE, phone="999888777", address="Av. Sol 1"), at=doubt.place)
    assert (moved.decision, moved.person_id) == ("keep", doubt.placed.person_id)
    assert count_cases(session, steward) == 0
    assert register(replace(ROSA, documents=()), at=doubt.place).person_id == doubt.home.person_id
    assert_history_holds(session)
    assert [one.id for one in list_decisions(session, person_ids=[doubt.home.person_id])] == [made.id]


def test_other_side_changing_asks_again(session: Session, engine: Engine, steward: Steward, register: Register) -> None:
    here, there = new_id(), new_id()
    register(replace(ROSA, documents=()), at=there)
    register(VAGUE, at=here)
    vague = list_cases(session, steward)[0]
    decide(session, engine, steward, vague.id, different())
    register(replace(ROSA, documents=(), given_names="Rosa Elvira Maria"), at=there)
    register(replace(VAGUE, phone="999888777"), at=here)
    assert vague.source_record_id in {line.source_record_id for line in list_cases(session, steward)}


def test_what_was_found_the_same_stays_though_the_engine_would_move_it(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    place = new_id()
    record, pedro = register(ROSA, at=place), register(replace(PEDRO, documents=()))
    merge(session, engine, steward, (record.person_id, pedro.person_id), WHY, survivor=pedro.person_id)
    rival = register(misspelt(ROSA)).person_id
    stays = register(replace(ROSA, phone="999888777"), at=place)
    assert (stays.decision, stays.person_id) == ("keep", pedro.person_id)
    moved = register(replace(ROSA, maternal_surname="Ccahuana Soto"), at=place)
    assert moved.person_id == rival != pedro.person_id
    assert_history_holds(session)


def test_one_holder_in_two_persons_is_settled_by_a_steward(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    reniec = Reniec({"40718293": Names("HUAMAN", "CCAHUANA", "ROSA ELVIRA")})
    first = register(ROSA)
    second = register(replace(ROSA, sex="M", birth_date=PEDRO.birth_date, phone=None, address=None, ubigeo="240101"))
    for record in (first, second):
        verify_record(session, engine.sealer, reniec, record.source_record_id)
    case = next(line for line in list_cases(session, steward) if line.reason == "same-verified-document")
    decide(session, engine, steward, case.id, same())
    assert where(session, first.source_record_id) == where(session, second.source_record_id)
    assert count_cases(session, steward) == 0


def test_record_told_apart_knowing_both_confirmed_is_not_asked_about_again(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    reniec = Reniec({"40718293": Names("HUAMAN", "CCAHUANA", "ROSA ELVIRA")})
    place, other = new_id(), replace(ROSA, sex="M", birth_date=PEDRO.birth_date, phone=None, ubigeo="240101")
    first, second = register(ROSA), register(other, at=place)
    for record in (first, second):
        verify_record(session, engine.sealer, reniec, record.source_record_id)
    decide(session, engine, steward, list_cases(session, steward)[0].id, different())
    register(replace(other, phone="999888777"), at=place)
    verify_record(session, engine.sealer, reniec, second.source_record_id)
    assert count_cases(session, steward) == 0


def test_refuted_record_a_steward_found_to_belong_stays(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    reniec = Reniec({PEDRO.documents[0].number: Names("ZEVALLOS", "TIRADO", "PEDRO PABLO")})
    place, home = new_id(), register(replace(ROSA, documents=()))
    guest = register(replace(ROSA, documents=PEDRO.documents), at=place)
    verify_record(session, engine.sealer, reniec, guest.source_record_id)
    decide(session, engine, steward, list_cases(session, steward)[0].id, same())
    assert where(session, guest.source_record_id) == where(session, home.source_record_id)
    register(replace(ROSA, documents=PEDRO.documents, phone="999888777"), at=place)
    verify_record(session, engine.sealer, reniec, guest.source_record_id)
    assert where(session, guest.source_record_id) == where(session, home.source_record_id)
    assert count_cases(session, steward) == 0
