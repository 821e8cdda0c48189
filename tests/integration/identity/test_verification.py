"""Checking records against the identity registry, with a stand-in that answers as told."""

from dataclasses import dataclass, field, replace
from datetime import date

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from matching.records import Demographics, Document, DocumentType
from registry.database import new_id, now
from registry.identity.events import replay
from registry.identity.models import Membership, MembershipEvent, PossibleMatch, SourceRecord, Verification
from registry.identity.service import Engine, find_citizen, preferred_demographics
from registry.identity.verification import list_due, verify_due, verify_record
from registry.pide.port import IdentityCheck, Names, Status
from tests.integration.identity.conftest import PEDRO, ROSA, Register, misspelt


@dataclass
class Reniec:
    """Knows people by number; everything else does not exist, or is not told."""

    people: dict[str, Names]
    down: bool = False
    asked: list[str] = field(default_factory=list)

    def lookup(self, document: Document) -> IdentityCheck:
        self.asked.append(document.number)
        names = self.people.get(document.number)
        found = Status.VERIFIED if names else Status.NOT_FOUND
        status = Status.UNVERIFIED if self.down else found
        return IdentityCheck(status=status, fetched_at=now(), source="test", names=None if self.down else names)


@pytest.fixture
def reniec() -> Reniec:
    return Reniec({"40718293": Names("HUAMAN", "CCAHUANA", "ROSA ELVIRA")})


def status_of(session: Session, engine: Engine, reniec: Reniec, record_id: object) -> str | None:
    return verify_record(session, engine.sealer, reniec, record_id)  # type: ignore[arg-type]


def test_record_of_the_holder_is_verified_and_preferred(
    session: Session, engine: Engine, register: Register, reniec: Reniec
) -> None:
    first = register(ROSA)
    register(misspelt(ROSA))
    assert preferred_demographics(session, engine.sealer, first.person_id).paternal_surname == "Guaman"
    assert status_of(session, engine, reniec, first.source_record_id) == "verified"
    assert preferred_demographics(session, engine.sealer, first.person_id).paternal_surname == "Huamán"


def test_relative_with_the_holders_number_is_not_verified(
    session: Session, engine: Engine, register: Register, reniec: Reniec
) -> None:
    child = register(Demographics(documents=ROSA.documents, paternal_surname="Soto", given_names="Luis"))
    assert status_of(session, engine, reniec, child.source_record_id) == "names-differ"
    assert session.get(SourceRecord, child.source_record_id, populate_existing=True).verified is False


def test_settled_records_are_not_asked_again_until_they_change(
    session: Session, engine: Engine, register: Register, reniec: Reniec
) -> None:
    place = new_id()
    register(ROSA, at=place)
    register(PEDRO)
    register(replace(PEDRO, documents=(), given_names="Juan"))
    assert verify_due(session, engine.sealer, reniec) == 2
    assert list_due(session) == []
    statuses = session.scalars(select(Verification.status)).all()
    assert sorted(statuses) == ["not-found", "verified"]
    register(replace(ROSA, phone=None), at=place)
    assert len(list_due(session)) == 1


def test_no_answer_is_asked_again_later(session: Session, engine: Engine, register: Register) -> None:
    outcome = register(ROSA)
    verify_due(session, engine.sealer, Reniec({}, down=True))
    record = session.get(SourceRecord, outcome.source_record_id, populate_existing=True)
    assert record.next_check_at > now()
    assert list_due(session) == []


def test_two_verified_numbers_under_one_person_are_parted(
    session: Session, engine: Engine, register: Register, reniec: Reniec
) -> None:
    other = replace(ROSA, documents=(Document(DocumentType.DNI, "40718239"),))
    first, second = register(ROSA), register(other)
    assert first.person_id == second.person_id
    reniec.people["40718239"] = reniec.people["40718293"]
    verify_due(session, engine.sealer, reniec)
    case = session.scalars(select(PossibleMatch)).one()
    assert (case.reason, case.rivals) == ("verified-conflict", [first.person_id])
    assert session.get(Membership, first.source_record_id).person_id == first.person_id
    assert session.get(Membership, second.source_record_id).person_id != first.person_id


def test_record_whose_number_is_somebody_elses_leaves_its_person(
    session: Session, engine: Engine, register: Register, reniec: Reniec
) -> None:
    bare = replace(ROSA, documents=())
    home = register(bare)
    guest = register(replace(ROSA, documents=PEDRO.documents))
    assert guest.person_id == home.person_id
    reniec.people[PEDRO.documents[0].number] = Names("ZEVALLOS", "TIRADO", "PEDRO PABLO")
    assert status_of(session, engine, reniec, guest.source_record_id) == "names-differ"
    case = session.scalars(select(PossibleMatch)).one()
    assert (case.reason, case.rivals) == ("names-differ", [home.person_id])
    assert session.get(Membership, guest.source_record_id, populate_existing=True).person_id != home.person_id
    events = session.scalars(select(MembershipEvent).order_by(MembershipEvent.position)).all()
    today = {row.source_record_id: row.person_id for row in session.scalars(select(Membership))}
    assert replay(events).memberships == today


def test_record_with_two_numbers_is_never_confirmed(
    session: Session, engine: Engine, register: Register, reniec: Reniec
) -> None:
    both = register(replace(ROSA, documents=(*ROSA.documents, *PEDRO.documents)))
    assert status_of(session, engine, reniec, both.source_record_id) is None
    for document in (*ROSA.documents, *PEDRO.documents):
        assert find_citizen(session, engine.sealer, document, ROSA, confirmed=True) is None


def test_namesake_with_a_partly_other_given_name_is_not_the_holder(
    session: Session, engine: Engine, register: Register, reniec: Reniec
) -> None:
    sister = register(replace(ROSA, given_names="Rosa Carmen"))
    assert status_of(session, engine, reniec, sister.source_record_id) == "names-differ"


def test_one_holder_kept_as_two_persons_goes_to_a_steward(
    session: Session, engine: Engine, register: Register, reniec: Reniec
) -> None:
    first = register(ROSA)
    second = register(replace(ROSA, sex="M", birth_date=date(1951, 2, 3), phone=None, address=None, ubigeo="240101"))
    assert first.person_id != second.person_id
    session.execute(update(PossibleMatch).values(status="dismissed"))
    verify_due(session, engine.sealer, reniec)
    case = session.scalars(select(PossibleMatch).where(PossibleMatch.status == "open")).one()
    assert (case.reason, case.rivals) == ("same-verified-document", [first.person_id])
