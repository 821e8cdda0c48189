"""Attempts to become somebody else, or to lock somebody out, with nothing but a record system's feed."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from matching.records import Demographics, Document, DocumentType
from registry.database import new_id
from registry.identity.models import Membership, PossibleMatch
from registry.identity.service import Engine, find_citizen, find_person
from registry.identity.verification import verify_due
from registry.pide.port import Names
from tests.integration.identity.conftest import PEDRO, ROSA, Register
from tests.integration.identity.test_verification import Reniec

SignIn = Callable[[Demographics], UUID | None]
Check = Callable[[], int]
ATTACKER = Document(DocumentType.DNI, "71234568")
ATTACKERS_NAMES = Demographics(
    paternal_surname="Quispe", maternal_surname="Ccahuana", given_names="Juana Elvira", documents=(ATTACKER,)
)
BARE = replace(ROSA, documents=())


@pytest.fixture
def reniec() -> Reniec:
    return Reniec(
        {
            ROSA.documents[0].number: Names("HUAMAN", "CCAHUANA", "ROSA ELVIRA"),
            ATTACKER.number: Names("QUISPE", "CCAHUANA", "JUANA ELVIRA"),
        }
    )


@pytest.fixture
def sign_in(session: Session, engine: Engine) -> SignIn:
    return lambda facts: find_citizen(session, engine.sealer, facts.documents[0], facts, confirmed=True)


@pytest.fixture
def check(session: Session, engine: Engine, reniec: Reniec) -> Check:
    return lambda: verify_due(session, engine.sealer, reniec)


@pytest.mark.parametrize("victim", [ROSA, BARE])
@pytest.mark.parametrize("first", [BARE, ROSA, replace(ROSA, documents=(ATTACKER,))])
@pytest.mark.parametrize("kept", [("birth_date", "phone", "address", "ubigeo", "sex"), ("birth_date", "phone"), ()])
def test_record_revised_step_by_step_never_brings_its_author_into_the_victim(
    register: Register,
    sign_in: SignIn,
    check: Check,
    victim: Demographics,
    first: Demographics,
    kept: tuple[str, ...],
) -> None:
    mine, place = register(victim).person_id, new_id()
    mask = replace(ATTACKERS_NAMES, **{name: getattr(ROSA, name) for name in kept})
    for facts in (first, replace(ROSA, documents=(ATTACKER,)), replace(mask, documents=first.documents), mask):
        register(facts, at=place)
    assert sign_in(ATTACKERS_NAMES) != mine
    check()
    assert sign_in(ATTACKERS_NAMES) != mine


def test_exchanged_document_in_doubt_leaves_with_a_case(session: Session, register: Register) -> None:
    mine, place = register(ROSA).person_id, new_id()
    joined = register(ROSA, at=place)
    assert joined.person_id == mine
    exchanged = register(replace(ROSA, documents=(ATTACKER,)), at=place)
    assert (exchanged.decision, exchanged.person_id == mine) == ("review", False)
    case = session.scalars(select(PossibleMatch)).one()
    assert (case.reason, case.rivals) == ("document-conflict", [mine])


def test_new_number_is_not_brought_into_a_verified_person(register: Register, check: Check) -> None:
    mine = register(ROSA).person_id
    slip = replace(ROSA, documents=(Document(DocumentType.DNI, "40718239"),))
    assert register(slip).person_id == mine
    check()
    other_slip = register(replace(ROSA, documents=(Document(DocumentType.DNI, "40178293"),)))
    assert (other_slip.decision, other_slip.person_id == mine) == ("review", False)


def test_number_added_to_a_record_of_a_verified_person_leaves(
    register: Register, sign_in: SignIn, check: Check
) -> None:
    mine, place = register(ROSA).person_id, new_id()
    check()
    assert register(BARE, at=place).person_id == mine
    both = replace(ROSA, documents=(*ROSA.documents, ATTACKER))
    assert register(both, at=place).person_id != mine
    assert sign_in(ROSA) == mine


def test_confirmed_number_exchanged_alone_in_its_person_leaves_it(register: Register, check: Check) -> None:
    place = new_id()
    before = register(ROSA, at=place)
    check()
    after = register(replace(ROSA, documents=(ATTACKER,)), at=place)
    assert after.person_id != before.person_id


@pytest.mark.parametrize(
    "theirs",
    [replace(ROSA, birth_date=None, sex="M", phone=None, ubigeo="240101"), replace(PEDRO, documents=ROSA.documents)],
)
def test_records_of_others_lock_no_verified_citizen_out(
    session: Session, register: Register, sign_in: SignIn, check: Check, theirs: Demographics
) -> None:
    mine = register(ROSA)
    check()
    for _ in range(3):
        register(theirs)
    assert sign_in(ROSA) == mine.person_id
    check()
    where = session.get(Membership, mine.source_record_id, populate_existing=True)
    assert where.person_id == mine.person_id


def test_person_emptied_step_by_step_never_leads_to_the_victim(session: Session, register: Register) -> None:
    mine, place = register(ROSA).person_id, new_id()
    theirs = register(ATTACKERS_NAMES, at=place).person_id
    for facts in (replace(ROSA, documents=(ATTACKER,)), replace(BARE, birth_date=None), BARE):
        register(facts, at=place)
    assert register(ROSA, at=place).person_id == mine
    left = find_person(session, theirs)
    assert left is None or left.id == theirs
