"""A steward's day: the worklist, a case side by side, a verdict and what comes of it, and taking it back."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from matching.records import Document, DocumentType
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.directory.models import StaffRole
from registry.errors import Conflict, Forbidden, InvalidInput, NotFound, Unprocessable
from registry.identity.comparison import read_case
from registry.identity.deciding import Judgement, decide, merge, split
from registry.identity.decisions import Grounds, get_decision, list_decisions, read_note
from registry.identity.effects import preview
from registry.identity.models import PossibleMatch, SourceRecord
from registry.identity.persons import find_person
from registry.identity.seconding import confirm, refuse
from registry.identity.service import Engine
from registry.identity.stewards import Steward
from registry.identity.undoing import undo
from registry.identity.verification import verify_record
from registry.identity.worklist import Filters, assign, count_cases, get_line, list_cases, release, take
from registry.outbox import OutboxMessage
from registry.pide.port import Names
from tests.integration.identity.conftest import (
    PEDRO,
    ROSA,
    VAGUE,
    Doubt,
    Register,
    assert_history_holds,
    misspelt,
    snapshot,
)
from tests.integration.identity.test_verification import Reniec

WHY = Grounds(reason="names")
Decide = Callable[..., object]


def same(**more: object) -> Judgement:
    return Judgement(**({"verdict": "same", "grounds": WHY} | more))  # type: ignore[arg-type]


def different(**more: object) -> Judgement:
    return Judgement(**({"verdict": "different", "grounds": WHY} | more))  # type: ignore[arg-type]


def where(session: Session, record_id: UUID) -> UUID:
    return snapshot(session)[0][record_id]


def test_worklist_shows_the_doubt_and_who_works_on_it(
    session: Session, engine: Engine, steward: Steward, second: Steward, doubt: Doubt
) -> None:
    [line] = list_cases(session, steward)
    assert (line.id, line.person_id, list(line.rivals)) == (
        doubt.case_id,
        doubt.placed.person_id,
        [doubt.home.person_id],
    )
    assert line.weight is not None
    taken = take(session, steward, line.id, line.revision)
    assert taken.assigned_to == steward.handle
    assert [count_cases(session, second, Filters(assigned=whose)) for whose in ("any", "nobody", "mine")] == [1, 0, 0]
    with pytest.raises(Conflict, match="Another steward"):
        take(session, second, line.id)
    with pytest.raises(Conflict, match="has changed"):
        release(session, steward, line.id, line.revision)
    given = assign(session, steward, line.id, second.handle)
    assert given.assigned_to == second.handle
    with pytest.raises(Conflict, match="Another steward"):
        decide(session, engine, steward, line.id, same())


def test_case_nobody_touched_for_a_day_is_anybodys(
    session: Session, steward: Steward, second: Steward, doubt: Doubt
) -> None:
    take(session, steward, doubt.case_id)
    session.execute(update(PossibleMatch).values(assigned_at=now() - timedelta(hours=25)))
    assert count_cases(session, second, Filters(assigned="nobody")) == 1
    assert take(session, second, doubt.case_id).assigned_to == second.handle


def test_worklist_comes_in_pages(session: Session, steward: Steward, register: Register) -> None:
    register(replace(ROSA, documents=()))
    for _ in range(5):
        register(VAGUE)
    everything = [line.id for line in list_cases(session, steward)]
    assert len(everything) == 5
    for order in ("oldest", "newest", "score"):
        whole = [line.id for line in list_cases(session, steward, order=order)]  # type: ignore[arg-type]
        paged, after = [], None
        while page := list_cases(session, steward, order=order, after=after, limit=2):  # type: ignore[arg-type]
            paged += [line.id for line in page]
            after = page[-1].id
        assert paged == whole
    assert [line.id for line in list_cases(session, steward, order="newest")] == everything[::-1]
    with pytest.raises(NotFound):
        list_cases(session, steward, after=new_id())


def test_nobody_but_a_steward_of_this_moment(session: Session, engine: Engine, steward: Steward, doubt: Doubt) -> None:
    session.execute(update(StaffRole).values(ended_at=now()))
    for act in (
        lambda: list_cases(session, steward),
        lambda: take(session, steward, doubt.case_id),
        lambda: read_case(session, engine, steward, doubt.case_id),
        lambda: decide(session, engine, steward, doubt.case_id, same()),
        lambda: list_cases(session, Steward(handle="not a handle")),
    ):
        with pytest.raises(Forbidden) as refused:
            act()
        assert refused.value.audit is not None


def test_case_is_shown_side_by_side_and_read_in_the_open(
    session: Session, engine: Engine, steward: Steward, doubt: Doubt
) -> None:
    case = read_case(session, engine, steward, doubt.case_id)
    assert case.record is not None
    assert (case.record.values["given_names"], case.record.values["maternal_surname"]) == ("Rosa", "")
    [rival] = case.rivals
    states = {one.field: one.state for one in rival.fields}
    assert (states["paternal"], states["given"], states["maternal"]) == ("same", "similar", "missing")
    assert rival.weight_bits == pytest.approx(sum(one.weight for one in rival.fields))
    assert case.evidence_model == engine.model.hash
    [said] = rival.records
    assert said.values["phone"].startswith("····")
    assert said.values["phone"].endswith("233")
    session.flush()
    read = session.scalars(select(AuditEvent).where(AuditEvent.action == "identity:case:read")).all()
    assert {row.person_id for row in read} == {doubt.placed.person_id, doubt.home.person_id}
    assert {row.actor_role for row in read} == {"steward"}


def test_sensitive_fields_are_shown_to_who_asks_and_that_is_in_the_log(
    session: Session, engine: Engine, steward: Steward, doubt: Doubt
) -> None:
    case = read_case(session, engine, steward, doubt.case_id, reveal={"phone"})
    said = case.rivals[0].records[0]
    assert said.values["phone"] == ROSA.phone
    assert said.values["address"].startswith("····")
    session.flush()
    [row, _] = session.scalars(select(AuditEvent).where(AuditEvent.action == "identity:case:revealed")).all()
    assert row.detail["fields"] == ["phone"]
    with pytest.raises(InvalidInput):
        read_case(session, engine, steward, doubt.case_id, reveal={"given_names"})


def test_nobody_sees_or_decides_their_own_case(
    session: Session, engine: Engine, appoint: Callable[[str], Steward], register: Register, doubt: Doubt
) -> None:
    register(replace(ROSA, documents=(Document(DocumentType.DNI, "40718293"),)))
    rosa = appoint("40718293")
    for act in (
        lambda: read_case(session, engine, rosa, doubt.case_id),
        lambda: decide(session, engine, rosa, doubt.case_id, same()),
    ):
        with pytest.raises(Forbidden) as refused:
            act()
        assert refused.value.error_code == "own-case"


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


def test_what_cannot_be_told_goes_back_to_the_end_of_the_worklist(
    session: Session, engine: Engine, steward: Steward, doubt: Doubt
) -> None:
    take(session, steward, doubt.case_id)
    made = decide(session, engine, steward, doubt.case_id, Judgement(verdict="unknown", grounds=WHY))
    line = get_line(session, doubt.case_id)
    assert (line.status, line.assigned_to, line.undecided) == ("open", None, 1)
    undo(session, engine, steward, made.id, WHY)
    assert get_line(session, doubt.case_id).undecided == 0


def test_two_confirmed_dnis_are_joined_by_nobody(
    session: Session, engine: Engine, steward: Steward, register: Register
) -> None:
    one, other = register(ROSA), register(PEDRO)
    session.execute(update(SourceRecord).values(verified=True))
    with pytest.raises(Unprocessable) as refused:
        merge(session, engine, steward, (one.person_id, other.person_id), WHY)
    assert refused.value.error_code == "verified-conflict"
    assert_history_holds(session)


def test_many_records_need_a_second_steward(
    session: Session, engine: Engine, steward: Steward, second: Steward, register: Register
) -> None:
    careful = replace(engine, four_eyes_above=2)
    one, other = register(ROSA), register(PEDRO)
    register(misspelt(ROSA))
    before = snapshot(session)
    made = merge(session, careful, steward, (one.person_id, other.person_id), WHY)
    assert (made.state, snapshot(session)) == ("pending", before)
    with pytest.raises(Forbidden) as refused:
        confirm(session, careful, steward, made.id)
    assert refused.value.error_code == "second-steward-needed"
    confirmed = confirm(session, careful, second, made.id)
    assert (confirmed.state, confirmed.second_steward) == ("applied", second.handle)
    assert where(session, other.source_record_id) == one.person_id
    with pytest.raises(Conflict):
        confirm(session, careful, second, made.id)
    taken_back = undo(session, careful, second, made.id, WHY)
    assert taken_back.state == "pending"
    confirm(session, careful, steward, taken_back.id)
    assert snapshot(session) == before
    assert_history_holds(session)


def test_second_steward_may_refuse_and_changed_data_void_the_first_ones_word(
    session: Session, engine: Engine, steward: Steward, second: Steward, register: Register, doubt: Doubt
) -> None:
    careful = replace(engine, four_eyes_above=1)
    before = snapshot(session)
    made = decide(session, careful, steward, doubt.case_id, same())
    assert get_line(session, doubt.case_id).awaiting == made.id
    with pytest.raises(Conflict, match="second steward"):
        decide(session, careful, steward, doubt.case_id, same())
    assert refuse(session, second, made.id).state == "refused"
    again = decide(session, careful, steward, doubt.case_id, same())
    register(replace(VAGUE, sex=None), at=doubt.place)
    with pytest.raises(Conflict) as changed:
        confirm(session, careful, second, again.id)
    assert changed.value.error_code in {"data-changed", "case-changed"}
    assert snapshot(session) == before


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


def test_grounds_must_say_something(session: Session, engine: Engine, steward: Steward, doubt: Doubt) -> None:
    for grounds in (Grounds(reason="whim"), Grounds(reason="other"), Grounds(reason="names", note="x" * 1001)):
        with pytest.raises(InvalidInput):
            decide(session, engine, steward, doubt.case_id, same(grounds=grounds))


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
