"""Records of invented people, and a quick way to register them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.database import new_id, now
from registry.directory.documents import document_token
from registry.directory.models import StaffRole
from registry.identity.deciding import Judgement
from registry.identity.decisions import Grounds
from registry.identity.events import replay
from registry.identity.models import Membership, MembershipEvent, Person, PossibleMatch
from registry.identity.service import Content, Engine, Outcome, Registration, engine_of, register_source_record
from registry.identity.stewards import Steward, handle_of

Register = Callable[..., Outcome]
SYSTEM = "https://example.pe/historia"
ROSA = Demographics(
    documents=(Document(DocumentType.DNI, "40718293"),),
    paternal_surname="Huamán",
    maternal_surname="Ccahuana",
    given_names="Rosa Elvira",
    sex="F",
    birth_date=date(1984, 7, 19),
    ubigeo="080101",
    address="Jr. Amargura 214",
    phone="984112233",
)
PEDRO = Demographics(
    documents=(Document(DocumentType.DNI, "09274615"),),
    paternal_surname="Zevallos",
    maternal_surname="Tirado",
    given_names="Pedro Pablo",
    sex="M",
    birth_date=date(1961, 11, 30),
    ubigeo="150131",
)

VAGUE = replace(ROSA, documents=(), maternal_surname=None, address=None, phone=None, given_names="Rosa", ubigeo=None)
"""What may be Rosa, and may not."""

WHY = Grounds(reason="names")


@dataclass(frozen=True)
class Doubt:
    case_id: UUID
    place: UUID
    placed: Outcome
    home: Outcome


@pytest.fixture
def engine(renhice: Renhice) -> Engine:
    return engine_of(renhice)


@pytest.fixture
def register(session: Session, engine: Engine) -> Register:
    def call(demographics: Demographics, *, at: UUID | None = None, number: str = "1", **more: Any) -> Outcome:
        content = Content(SYSTEM, number, demographics)
        registration = Registration(establishment_id=at or new_id(), client_id="sihce", content=content, **more)
        return register_source_record(session, engine, registration)

    return call


def misspelt(facts: Demographics) -> Demographics:
    return replace(facts, paternal_surname="Guaman", given_names="Rosa", address=None, phone=None)


@pytest.fixture
def appoint(session: Session, engine: Engine) -> Callable[[str], Steward]:
    """Makes stewards out of DNI numbers."""

    def call(number: str) -> Steward:
        document = Document(DocumentType.DNI, number)
        token = document_token(engine.sealer, document)
        until = now() + timedelta(days=1)
        session.add(StaffRole(document_token=token, sealed=b"-", role="steward", valid_until=until))
        session.flush()
        return Steward(handle=handle_of(engine.sealer, document))

    return call


@pytest.fixture
def steward(appoint: Callable[[str], Steward]) -> Steward:
    return appoint("80000001")


@pytest.fixture
def second(appoint: Callable[[str], Steward]) -> Steward:
    return appoint("80000002")


@pytest.fixture
def doubt(session: Session, register: Register) -> Doubt:
    """Rosa without a document, and a record that may be hers, which is an open case."""
    home = register(replace(ROSA, documents=()))
    place = new_id()
    placed = register(VAGUE, at=place)
    assert placed.decision == "review"
    case = session.scalars(select(PossibleMatch).where(PossibleMatch.status == "open")).one()
    return Doubt(case.id, place, placed, home)


def same(**more: object) -> Judgement:
    return Judgement(**({"verdict": "same", "grounds": WHY} | more))  # type: ignore[arg-type]


def different(**more: object) -> Judgement:
    return Judgement(**({"verdict": "different", "grounds": WHY} | more))  # type: ignore[arg-type]


def where(session: Session, record_id: UUID) -> UUID:
    """The person a record is about now."""
    return snapshot(session)[0][record_id]


def snapshot(session: Session) -> tuple[dict[UUID, UUID], dict[UUID, tuple[str, UUID | None]]]:
    """Who each record is about, and how each person stands."""
    session.flush()
    members = session.execute(select(Membership.source_record_id, Membership.person_id)).all()
    persons = session.execute(select(Person.id, Person.status, Person.replaced_by)).all()
    return {row[0]: row[1] for row in members}, {row[0]: (row[1], row[2]) for row in persons}


def assert_history_holds(session: Session) -> None:
    """Replaying the events gives the projection, and a person is active exactly when it has records."""
    members, persons = snapshot(session)
    events = session.scalars(select(MembershipEvent).order_by(MembershipEvent.position)).all()
    state = replay(events)
    assert state.memberships == members
    assert state.replaced_by == {key: by for key, (_, by) in persons.items() if by}
    active = {key for key, (status, _) in persons.items() if status == "active"}
    assert active == set(members.values())
