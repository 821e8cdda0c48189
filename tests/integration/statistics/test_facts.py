"""Facts follow identity through the outbox, hold no identity, and can be derived anew."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from matching.records import Demographics, Document, DocumentType
from registry import outbox
from registry.app import Renhice
from registry.database import new_id
from registry.identity.models import Membership
from registry.identity.service import Content, Outcome, Registration, engine_of, register_source_record
from registry.statistics.facts import refresh_facts
from registry.statistics.models import PersonFact
from registry.statistics.tasks import follow_identity

ROSA = Demographics(
    documents=(Document(DocumentType.DNI, "40718293"),),
    paternal_surname="Huamán",
    maternal_surname="Ccahuana",
    given_names="Rosa Elvira",
    sex="F",
    birth_date=date(1984, 7, 19),
    ubigeo="080101",
)
Register = Callable[..., Outcome]


@pytest.fixture
def register(session: Session, renhice: Renhice) -> Register:
    def call(demographics: Demographics, *, at: UUID | None = None, number: str = "1") -> Outcome:
        content = Content("https://example.pe/historia", number, demographics)
        registration = Registration(establishment_id=at or new_id(), client_id="sihce", content=content)
        return register_source_record(session, engine_of(renhice), registration)

    return call


@pytest.fixture(autouse=True)
def _follow(renhice: Renhice) -> None:
    follow_identity(renhice)


def facts(session: Session) -> list[tuple[Any, ...]]:
    session.expire_all()
    rows = session.scalars(select(PersonFact)).all()
    return sorted((row.sex, row.birth_year, row.department, row.establishments) for row in rows)


def test_a_registration_becomes_a_fact_by_the_outbox(session: Session, register: Register) -> None:
    register(ROSA)
    assert facts(session) == []
    assert outbox.relay(session) == 1
    assert facts(session) == [("F", 1984, "08", 1)]


def test_a_second_establishment_and_a_correction_move_the_fact(session: Session, register: Register) -> None:
    first = new_id()
    register(ROSA, at=first)
    register(ROSA)
    outbox.relay(session)
    assert facts(session) == [("F", 1984, "08", 2)]
    register(replace(ROSA, ubigeo="150101"), at=first)
    outbox.relay(session)
    [(_, _, department, establishments)] = facts(session)
    assert (department, establishments) == ("15", 2)


def test_messages_of_many_persons_become_facts_at_once(session: Session, register: Register) -> None:
    names = ("Rosa Elvira", "Otra", "Ana María")
    for year, given in enumerate(names, 1984):
        register(replace(ROSA, documents=(), given_names=given, birth_date=date(year, 7, 19), sex="M"), number=given)
    register(ROSA)
    register(replace(ROSA, ubigeo="150101"))
    assert outbox.relay(session) > len(names)
    assert {(sex, year, place) for sex, year, place, _ in facts(session)} >= {("M", 1985, "08"), ("M", 1986, "08")}
    assert sum(count for _, _, _, count in facts(session)) == len(names) + 2


def test_a_message_twice_or_for_nobody_changes_nothing(session: Session, register: Register, renhice: Renhice) -> None:
    outcome = register(ROSA)
    for persons in ([outcome.person_id], [outcome.person_id, new_id()], []):
        refresh_facts(session, renhice.sealer, persons)
    assert facts(session) == [("F", 1984, "08", 1)]


def test_a_person_without_records_has_no_fact(session: Session, register: Register, renhice: Renhice) -> None:
    left, entered = register(ROSA).person_id, register(replace(ROSA, documents=(), given_names="Otra")).person_id
    refresh_facts(session, renhice.sealer, [left])
    session.execute(update(Membership).where(Membership.person_id == left).values(person_id=entered))
    refresh_facts(session, renhice.sealer, [left])
    assert facts(session) == []
    refresh_facts(session, renhice.sealer, [entered])
    assert facts(session) == [("F", 1984, "08", 2)]


def test_what_is_missing_or_senseless_is_unknown(session: Session, register: Register, renhice: Renhice) -> None:
    bare = Demographics(given_names="Niña", paternal_surname="Quispe", ubigeo="990101")
    refresh_facts(session, renhice.sealer, [register(bare).person_id])
    assert facts(session) == [(None, None, None, 1)]


def test_a_fact_holds_no_identity(session: Session, register: Register, renhice: Renhice) -> None:
    outcome = register(ROSA)
    refresh_facts(session, renhice.sealer, [outcome.person_id])
    [line] = session.scalars(text("SELECT t::text FROM person_facts t")).all()
    for secret in ("40718293", "Rosa", "Huam", str(outcome.person_id), outcome.person_id.hex, "1984-07-19", "080101"):
        assert secret not in line


def test_no_failure_is_left_in_the_outbox(session: Session, register: Register) -> None:
    register(ROSA)
    outbox.relay(session)
    failed = select(func.count()).select_from(outbox.OutboxMessage).where(outbox.OutboxMessage.last_error.is_not(None))
    assert session.scalar(failed) == 0
    latest = session.scalar(select(func.max(PersonFact.updated_at)))
    assert latest is not None
    assert (datetime.now(UTC) - latest).total_seconds() < 60
