"""A new model over the whole index: judged in the shadow, reported, approved by two, applied as things stand then."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from matching.model import Model
from matching.records import Demographics, Document, DocumentType
from registry.audit.models import AuditEvent
from registry.database import new_id, now
from registry.errors import Conflict, Forbidden
from registry.identity.deciding import Judgement, decide, merge, split
from registry.identity.decisions import Grounds
from registry.identity.models import Membership, MembershipEvent, Person, PossibleMatch, SourceRecord, Verification
from registry.identity.reresolution.application import apply_next
from registry.identity.reresolution.listing import list_models
from registry.identity.reresolution.models import ReresolutionChange, ReresolutionRun
from registry.identity.reresolution.report import report
from registry.identity.reresolution.runs import approve, begin, cancel, find_run, finish, progress
from registry.identity.reresolution.shadow import judge_slice, start
from registry.identity.service import Content, Engine, Outcome, Registration, find_person, register_source_record
from registry.identity.stewards import Steward
from registry.outbox import OutboxMessage
from tests.integration.identity.conftest import PEDRO, ROSA, SYSTEM, Register, assert_history_holds, misspelt, snapshot

BY_HAND = Grounds(reason="names")
Run = Callable[..., ReresolutionRun]


def with_thresholds(model: Model, **thresholds: float) -> Model:
    """The same model, deciding elsewhere."""
    limits = {**model.document["thresholds"], **thresholds}
    return Model.from_document({**model.document, "version": "test", "thresholds": limits})


@pytest.fixture
def timid(engine: Engine) -> Engine:
    """Links nobody: whatever comes near is a question."""
    return replace(engine, model=with_thresholds(engine.model, link=200.0))


@pytest.fixture
def blind(engine: Engine) -> Engine:
    """Takes whoever shares a blocking key for one person."""
    return replace(
        engine,
        model=with_thresholds(engine.model, link=-300.0, review=-300.0, margin=-400.0, consistency=-300.0,
                              same_establishment=0.0, pair=-300.0),
    )  # fmt: skip


@pytest.fixture
def stewards(steward: Steward, second: Steward) -> tuple[Steward, Steward]:
    return steward, second


@pytest.fixture
def shadow(session: Session, engine: Engine) -> Run:
    """Judges everybody by the engine's model and reports."""

    def call(judging: Engine = engine, consents: int = 0) -> ReresolutionRun:
        run = start(session, judging.model, "former", "operator test")
        while judge_slice(session, judging, run.id) is not None:
            pass
        reported = report(session, lambda _session, _persons: consents, run.id)
        assert reported is not None
        return reported

    return call


@pytest.fixture
def applied(session: Session, engine: Engine, stewards: tuple[Steward, Steward], shadow: Run) -> Run:
    """All of it, to the end."""

    def call(judging: Engine = engine) -> ReresolutionRun:
        run = shadow(judging)
        for one in stewards:
            approve(session, one, run.id)
        begin(session, judging, run.id)
        while apply_next(session, judging, run.id) is not None:
            pass
        assert finish(session, run.id)
        return run

    return call


@pytest.fixture
def at(session: Session) -> Register:
    """Registers with any engine."""

    def call(engine: Engine, facts: Demographics, place: UUID | None = None) -> Outcome:
        registration = Registration(
            establishment_id=place or new_id(), client_id="sihce", content=Content(SYSTEM, "1", facts)
        )
        return register_source_record(session, engine, registration)

    return call


def changes(session: Session, *kinds: str) -> list[ReresolutionChange]:
    query = select(ReresolutionChange).order_by(ReresolutionChange.rank, ReresolutionChange.id)
    return [one for one in session.scalars(query) if not kinds or one.kind in kinds]


def counts(run: ReresolutionRun) -> dict[str, int]:
    assert run.report is not None
    return {name: run.report[name] for name in ("unlinks", "links", "merges", "reviews", "unchanged")}


def test_the_model_in_force_finds_little_to_change_in_its_own_work(register: Register, shadow: Run) -> None:
    for facts in (ROSA, misspelt(ROSA), PEDRO):
        register(facts)
    assert counts(shadow()) == {"unlinks": 0, "links": 0, "merges": 0, "reviews": 0, "unchanged": 2}


def test_persons_the_former_model_kept_apart_become_one(
    session: Session, timid: Engine, engine: Engine, at: Register, applied: Run
) -> None:
    first, *others = [at(timid, facts) for facts in (ROSA, misspelt(ROSA), replace(ROSA, phone=None))]
    stranger = at(timid, PEDRO)
    assert len({one.person_id for one in (first, *others)}) == 3
    run = applied()
    assert counts(run) == {"unlinks": 0, "links": 0, "merges": 2, "reviews": 0, "unchanged": 2}
    for one in (first, *others):
        assert find_person(session, one.person_id).id == first.person_id  # type: ignore[union-attr]
    assert find_person(session, stranger.person_id).id == stranger.person_id  # type: ignore[union-attr]
    assert_history_holds(session)
    merged = session.scalars(select(MembershipEvent).where(MembershipEvent.kind == "merged")).all()
    assert {(one.actor, one.model_hash, one.reason) for one in merged} == {
        ("engine", engine.model.hash, "strong-evidence")
    }
    links = session.scalars(select(MembershipEvent).order_by(MembershipEvent.position.desc())).all()
    assert any(one.kind == "linked" and one.contributions for one in links)
    assert set(session.scalars(select(PossibleMatch.status))) == {"superseded"}


def test_whoever_is_concerned_is_told_and_finds_it_in_the_log(
    session: Session, timid: Engine, at: Register, applied: Run
) -> None:
    first, second = at(timid, ROSA), at(timid, misspelt(ROSA))
    run = applied()
    session.flush()
    told = session.scalars(select(OutboxMessage).where(OutboxMessage.topic == "identity:person:merged")).one()
    assert told.payload["other_person_id"] == str(first.person_id)
    assert len(told.payload["establishment_ids"]) == 2
    events = session.scalars(select(AuditEvent).where(AuditEvent.action == "identity:person:merged")).all()
    assert {one.person_id for one in events} == {first.person_id, second.person_id}
    assert {one.detail["run"] for one in events} == {str(run.id)}
    persons = session.scalars(select(Person).execution_options(populate_existing=True)).all()
    assert all(one.regrouped_at for one in persons)


def test_records_the_former_model_threw_together_part(
    session: Session, blind: Engine, engine: Engine, at: Register, applied: Run
) -> None:
    brother = replace(ROSA, documents=(Document(DocumentType.DNI, "77777777"),), given_names="Julio César", sex="M",
                      birth_date=ROSA.birth_date.replace(year=1991))  # fmt: skip
    hers, also_hers, his = (at(blind, facts) for facts in (ROSA, misspelt(ROSA), brother))
    assert hers.person_id == also_hers.person_id == his.person_id
    assert counts(applied())["unlinks"] == 1
    members = snapshot(session)[0]
    assert members[hers.source_record_id] == members[also_hers.source_record_id] == hers.person_id
    assert members[his.source_record_id] != hers.person_id
    assert_history_holds(session)


def test_a_record_goes_to_the_person_it_belongs_to(
    session: Session, blind: Engine, timid: Engine, at: Register, applied: Run, engine: Engine
) -> None:
    brother = replace(ROSA, documents=(Document(DocumentType.DNI, "77777777"),), given_names="Julio César", sex="M",
                      birth_date=ROSA.birth_date.replace(year=1991))  # fmt: skip
    his_own = at(timid, brother)
    hers, also_hers = at(timid, ROSA), at(engine, misspelt(ROSA))
    his_elsewhere = at(timid, replace(brother, phone=None))
    session.execute(
        update(Membership)
        .where(Membership.source_record_id == his_elsewhere.source_record_id)
        .values(person_id=hers.person_id)
    )
    session.execute(update(Person).where(Person.id == his_elsewhere.person_id).values(status="empty"))
    run = applied()
    assert counts(run)["links"] == 1
    members = snapshot(session)[0]
    assert members[his_elsewhere.source_record_id] == his_own.person_id
    assert members[also_hers.source_record_id] == hers.person_id


def test_a_doubt_the_new_model_has_is_asked_once(
    session: Session, engine: Engine, register: Register, at: Register, applied: Run
) -> None:
    deaf = replace(engine, model=with_thresholds(engine.model, link=200.0, review=200.0))
    doubtful = replace(ROSA, documents=(), maternal_surname=None, address=None, phone=None, given_names="Rosa")
    home = at(deaf, replace(ROSA, documents=()))
    placed = at(deaf, replace(doubtful, ubigeo=None))
    assert session.scalar(select(func.count()).select_from(PossibleMatch)) == 0
    assert counts(applied()) == {"unlinks": 0, "links": 0, "merges": 0, "reviews": 1, "unchanged": 1}
    case = session.scalars(select(PossibleMatch)).one()
    assert (case.source_record_id, case.rivals, case.status) == (placed.source_record_id, [home.person_id], "open")
    assert case.model_hash == engine.model.hash
    assert counts(applied())["reviews"] == 0


def test_what_a_steward_told_apart_stays_apart(
    session: Session, timid: Engine, engine: Engine, steward: Steward, at: Register, shadow: Run
) -> None:
    one, other = at(timid, ROSA), at(timid, misspelt(ROSA))
    case = session.scalars(select(PossibleMatch).where(PossibleMatch.status == "open")).one()
    decide(session, engine, steward, case.id, Judgement(verdict="different", grounds=BY_HAND))
    assert counts(shadow())["merges"] == 0
    assert one.person_id != other.person_id


def test_what_a_steward_put_together_stays_together(
    session: Session, engine: Engine, steward: Steward, register: Register, shadow: Run
) -> None:
    rosa, pedro = register(ROSA), register(PEDRO)
    merge(session, engine, steward, (rosa.person_id, pedro.person_id), BY_HAND)
    assert counts(shadow()) == {"unlinks": 0, "links": 0, "merges": 0, "reviews": 0, "unchanged": 1}


@pytest.mark.parametrize("why", ["refuted", "contested", "awaiting"])
def test_nothing_moves_that_waits_for_a_human(
    session: Session, timid: Engine, steward: Steward, at: Register, shadow: Run, why: str
) -> None:
    one, other = at(timid, ROSA), at(timid, misspelt(ROSA))
    if why == "refuted":
        session.add(
            Verification(source_record_id=other.source_record_id, version=1, status="names-differ", source="test")
        )
    elif why == "contested":
        session.execute(update(PossibleMatch).values(model_hash=""))
    else:
        careful = replace(timid, four_eyes_above=1)
        merge(session, careful, steward, (one.person_id, other.person_id), BY_HAND)
    session.flush()
    assert counts(shadow())["merges"] == 0


def test_a_dni_the_state_confirmed_is_joined_by_no_other(
    session: Session, timid: Engine, at: Register, shadow: Run
) -> None:
    one = at(timid, ROSA)
    other = at(timid, replace(ROSA, documents=(*ROSA.documents, Document(DocumentType.DNI, "12345670"))))
    session.execute(update(SourceRecord).where(SourceRecord.id == one.source_record_id).values(verified=True))
    assert counts(shadow())["merges"] == 0
    assert other.person_id != one.person_id


def test_who_once_was_somebody_else_is_not_led_to_a_stranger(
    session: Session, timid: Engine, at: Register, shadow: Run
) -> None:
    place = new_id()
    at(timid, ROSA)
    at(timid, replace(ROSA, documents=(), given_names="Ursula"), place)
    at(timid, replace(ROSA, documents=(), given_names="Rosa Elvira"), place)
    session.execute(update(PossibleMatch).values(status="superseded"))
    shadow()
    assert [(one.kind, one.reason) for one in changes(session)] == [("review", "former-identity")]


def test_nothing_is_applied_before_two_stewards_stand_for_it(
    session: Session, engine: Engine, timid: Engine, stewards: tuple[Steward, Steward], register: Register, shadow: Run
) -> None:
    steward, second = stewards
    register(ROSA)
    run = shadow()
    with pytest.raises(Conflict, match="may not be applied"):
        begin(session, engine, run.id)
    approve(session, steward, run.id)
    with pytest.raises(Forbidden, match="Another steward"):
        approve(session, steward, run.id)
    with pytest.raises(Conflict, match="may not be applied"):
        begin(session, engine, run.id)
    with pytest.raises(Forbidden, match="Only a steward"):
        approve(session, Steward(handle="0" * 32), run.id)
    approve(session, second, run.id)
    with pytest.raises(Conflict, match="not the one in force"):
        begin(session, timid, run.id)
    assert begin(session, engine, run.id).status == "applying"


@pytest.mark.parametrize("when", ["approving", "applying"])
def test_an_old_report_or_another_index_is_refused(
    session: Session, engine: Engine, stewards: tuple[Steward, Steward], register: Register, shadow: Run, when: str
) -> None:
    register(ROSA)
    run = shadow()
    refused: Callable[[], Any] = partial(approve, session, stewards[0], run.id)
    if when == "applying":
        for one in stewards:
            approve(session, one, run.id)
        refused = partial(begin, session, engine, run.id)
    run.reported_at = now() - timedelta(days=8)
    session.flush()
    with pytest.raises(Conflict, match="older than 7 days"):
        refused()
    run.reported_at = now()
    for number in range(21):
        register(replace(PEDRO, documents=(Document(DocumentType.DNI, f"1234{number:04d}"),)), at=new_id())
    with pytest.raises(Conflict, match="memberships changed"):
        refused()


def test_a_change_that_nobody_would_propose_any_more_is_left(
    session: Session, timid: Engine, engine: Engine, stewards: tuple[Steward, Steward], at: Register, shadow: Run
) -> None:
    place = new_id()
    at(timid, ROSA)
    at(timid, misspelt(ROSA), place)
    run = shadow()
    for one in stewards:
        approve(session, one, run.id)
    begin(session, engine, run.id)
    at(timid, PEDRO, place)
    before = snapshot(session)
    assert apply_next(session, engine, run.id) == "stale"
    assert snapshot(session) == before
    assert apply_next(session, engine, run.id) is None
    assert finish(session, run.id)


def test_what_was_not_judged_yet_is_not_reported_and_one_run_is_open_at_a_time(
    session: Session, engine: Engine, register: Register
) -> None:
    register(ROSA)
    run = start(session, engine.model, "former", "operator test")
    assert report(session, lambda _session, _persons: 0, run.id) is None
    with pytest.raises(Conflict, match="open already"):
        start(session, engine.model, "former", "operator test")
    cancel(session, run.id, "operator test")
    assert judge_slice(session, engine, run.id) is None
    assert find_run(session).status == "cancelled"  # type: ignore[union-attr]
    with pytest.raises(Conflict, match="has ended"):
        cancel(session, run.id, "operator test")
    start(session, engine.model, "former", "operator test")


def test_an_empty_index_is_judged_at_once(session: Session, shadow: Run) -> None:
    run = shadow()
    assert (run.status, run.report["persons"]) == ("reported", 0)  # type: ignore[index]
    assert progress(session, run.id).slices == 0


def test_the_report_says_what_is_at_stake(session: Session, timid: Engine, at: Register, shadow: Run) -> None:
    one = at(timid, ROSA)
    at(timid, misspelt(ROSA))
    session.execute(update(SourceRecord).where(SourceRecord.id == one.source_record_id).values(verified=True))
    run = shadow(consents=1)
    assert run.report is not None
    assert run.report["risk"] == {"persons": 2, "with_consent": 1, "with_verified_dni": 1, "big": 0}
    (change,) = changes(session)
    assert run.report["sample"] == [str(change.id)]
    assert {field for field, *_ in change.contributions} >= {"given", "birth"}
    assert "Rosa" not in str(run.report) + str(change.contributions)


def test_a_split_that_was_undone_by_hand_stays_a_split(
    session: Session, engine: Engine, steward: Steward, register: Register, shadow: Run
) -> None:
    rosa, again = register(ROSA), register(misspelt(ROSA))
    split(session, engine, steward, rosa.person_id, [again.source_record_id], BY_HAND)
    assert counts(shadow())["merges"] == 0


def test_models_are_listed_by_what_they_decided(
    session: Session, engine: Engine, timid: Engine, at: Register, shadow: Run
) -> None:
    at(timid, ROSA)
    shadow()
    found = {one.hash: one for one in list_models(session, engine.model)}
    assert found[timid.model.hash].decisions == 1
    assert found[timid.model.hash].version is None
    assert found[engine.model.hash].version == engine.model.version
    assert found[engine.model.hash].last_used is None
    assert len({one.version for one in found.values()} & {"peru-expert"}) <= 1
