"""Persons: the citizen who signs in, replaced persons, preferred demographics, search, holders."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from matching.blocking import ENOUGH, blocking_keys
from matching.normalise import normalise
from matching.records import Demographics, Document, DocumentType
from registry.database import new_id
from registry.errors import NotFound, Unprocessable
from registry.identity.candidates import SAID, find_likely, find_persons
from registry.identity.engine import blind_keys
from registry.identity.models import PossibleMatch, SourceRecord, Verification
from registry.identity.service import (
    Engine,
    find_by_local_number,
    find_citizen,
    find_own_record,
    find_person,
    get_person,
    list_person_ids,
    match,
    preferred_demographics,
    resolve_replaced,
)
from registry.locator.service import locate
from registry.sealing import DataKey
from tests.integration.identity.conftest import PEDRO, ROSA, Register, misspelt

DNI = ROSA.documents[0]
NAMES = Demographics(paternal_surname="HUAMAN", maternal_surname="CCAHUANA", given_names="ROSA ELVIRA")


def test_citizen_is_the_person_with_the_document_and_the_names(
    session: Session, engine: Engine, register: Register
) -> None:
    person = register(ROSA).person_id
    register(PEDRO)
    assert find_citizen(session, engine.sealer, DNI, NAMES, confirmed=True) == person
    assert find_citizen(session, engine.sealer, DNI, NAMES) is None


@pytest.mark.parametrize(
    "names",
    [
        replace(NAMES, given_names="JUANA"),
        replace(NAMES, given_names="ROSA"),
        replace(NAMES, given_names="ROSA MARIA"),
        replace(NAMES, maternal_surname=None),
        replace(NAMES, paternal_surname="CCAHUANA", maternal_surname="HUAMAN"),
        replace(NAMES, paternal_surname="QUIROGA", maternal_surname="ECHEVARRIA"),
        Demographics(),
    ],
)
def test_document_without_the_names_is_nobody(
    session: Session, engine: Engine, register: Register, names: Demographics
) -> None:
    register(ROSA)
    assert find_citizen(session, engine.sealer, DNI, names, confirmed=True) is None


def test_mother_is_not_the_child_registered_with_her_document(
    session: Session, engine: Engine, register: Register
) -> None:
    child = Demographics(
        documents=(DNI,),
        paternal_surname="Soto",
        maternal_surname="Huamán",
        given_names="Luis",
        birth_date=date(2020, 2, 3),
    )
    register(child)
    assert find_citizen(session, engine.sealer, DNI, NAMES, confirmed=True) is None
    mother = register(ROSA).person_id
    assert find_citizen(session, engine.sealer, DNI, NAMES, confirmed=True) == mother


def test_unknown_document_is_nobody(session: Session, engine: Engine) -> None:
    assert find_citizen(session, engine.sealer, Document(DocumentType.DNI, "45678912"), NAMES, confirmed=True) is None


def test_replaced_person_leads_to_the_current_one(session: Session, register: Register) -> None:
    place = new_id()
    vague = register(Demographics(paternal_surname="Huamán", given_names="Rosa", sex="F"), at=place)
    current = register(ROSA)
    register(ROSA, at=place)
    assert resolve_replaced(session, vague.person_id) == current.person_id
    assert list_person_ids(session, current.person_id) == sorted([vague.person_id, current.person_id])


def test_emptied_and_unknown_persons_are_not_found(session: Session, register: Register) -> None:
    place = new_id()
    before = register(ROSA, at=place)
    register(PEDRO, at=place)
    assert find_person(session, before.person_id) is None
    with pytest.raises(NotFound):
        get_person(session, new_id())


def test_preferred_demographics_join_the_sources(session: Session, engine: Engine, register: Register) -> None:
    person = register(ROSA).person_id
    register(replace(misspelt(ROSA), married_surname="Soto"))
    facts = preferred_demographics(session, engine.sealer, person)
    assert facts is not None
    assert (facts.phone, facts.married_surname, facts.sex) == (ROSA.phone, "Soto", "F")
    assert preferred_demographics(session, engine.sealer, new_id()) is None


def test_match_grades_and_orders(session: Session, engine: Engine, register: Register) -> None:
    rosa = register(ROSA).person_id
    sister = replace(ROSA, documents=(), given_names="Elvira", birth_date=date(1988, 2, 1))
    register(sister)
    found = match(session, engine, misspelt(ROSA))
    assert (found[0].person.person_id, found[0].grade) == (rosa, "certain")
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert len(match(session, engine, misspelt(ROSA), count=1)) == 1


def test_match_of_too_little_is_refused(session: Session, engine: Engine) -> None:
    with pytest.raises(Unprocessable):
        match(session, engine, Demographics(sex="F"))


def test_destroyed_key_takes_a_record_out_of_everything(session: Session, engine: Engine, register: Register) -> None:
    place = new_id()
    outcome = register(ROSA, at=place, number="8")
    assert find_by_local_number(session, engine.sealer, place, "8") is not None
    session.execute(delete(DataKey).where(DataKey.owner_id == outcome.source_record_id))
    session.expunge_all()
    assert preferred_demographics(session, engine.sealer, outcome.person_id) is None
    assert find_own_record(session, engine.sealer, place, outcome.source_record_id) is None
    assert match(session, engine, ROSA) == []
    assert register(ROSA).person_id != outcome.person_id


def test_holders_are_the_active_records(session: Session, register: Register) -> None:
    first, second = new_id(), new_id()
    person = register(ROSA, at=first).person_id
    register(misspelt(ROSA), at=second)
    assert {holder.establishment_id for holder in locate(session, person)} == {first, second}
    register(misspelt(ROSA), at=second, active=False)
    assert {holder.establishment_id for holder in locate(session, person)} == {first}
    assert locate(session, new_id()) == []


@pytest.mark.parametrize("verified", [False, True])
def test_holder_of_a_disputed_document_is_contested_until_it_is_confirmed(
    session: Session, register: Register, verified: bool
) -> None:
    outcome = register(ROSA)
    assert [one.contested for one in locate(session, outcome.person_id)] == [False]
    case = {"version": 1, "rivals": [], "reason": "document-conflict", "weight": 0.0, "contributions": []}
    session.add(PossibleMatch(source_record_id=outcome.source_record_id, model_hash="", **case))
    session.execute(update(SourceRecord).values(verified=verified))
    assert [one.contested for one in locate(session, outcome.person_id)] == [not verified]


def test_holder_whose_number_is_somebody_elses_is_contested_until_its_next_version(
    session: Session, register: Register
) -> None:
    place = new_id()
    outcome = register(ROSA, at=place)
    session.add(
        Verification(source_record_id=outcome.source_record_id, version=1, status="names-differ", source="test")
    )
    assert [one.contested for one in locate(session, outcome.person_id)] == [True]
    register(replace(ROSA, phone=None), at=place)
    assert [one.contested for one in locate(session, outcome.person_id)] == [False]


def test_one_key_that_many_share_opens_nobody_and_two_do(session: Session, engine: Engine, register: Register) -> None:
    born = date(1984, 7, 19)
    known = register(Demographics(paternal_surname="Quispe", given_names="Juan", birth_date=born)).person_id
    birthday = Demographics(paternal_surname="Quispe", given_names="Flor", birth_date=born)
    for asked, least, found in (
        (birthday, ENOUGH, []),
        (birthday, 1, [known]),
        (replace(birthday, given_names="Juan Carlos"), ENOUGH, [known]),
    ):
        tokens = blind_keys(engine.sealer, blocking_keys(normalise(asked)))
        assert list(find_persons(session, engine.sealer, tokens, least)) == found


def test_who_is_found_is_opened_whole_only_where_what_is_found_says_enough(
    session: Session, engine: Engine, register: Register
) -> None:
    rosa = register(ROSA).person_id
    register(replace(misspelt(ROSA), documents=()))

    def found(asked: Demographics) -> list[dict[UUID, int]]:
        wanted = normalise(asked)
        tokens = blind_keys(engine.sealer, blocking_keys(wanted))
        ways = find_persons(session, engine.sealer, tokens), find_likely(session, engine, wanted, tokens)
        return [{key: len(person.members) for key, person in way.items()} for way in ways]

    namesake = Demographics(
        documents=(Document(DocumentType.DNI, "70999111"),),
        paternal_surname=ROSA.paternal_surname,
        maternal_surname=ROSA.maternal_surname,
        given_names="Juan Carlos",
        sex="M",
        birth_date=date(2003, 5, 14),
        ubigeo=ROSA.ubigeo,
    )
    assert found(replace(ROSA, phone=None)) == [{rosa: 2}, {rosa: 2}]
    assert found(namesake) == [{rosa: 2}, {}]


def test_who_shares_one_key_is_looked_at_only_where_nobody_settles_who_it_is(
    session: Session, engine: Engine, register: Register
) -> None:
    rare = replace(ROSA, paternal_surname="Azurmendi", maternal_surname="Ccallohuanca")
    outcome = register(rare)
    initial = Demographics(paternal_surname="Azurmendi", maternal_surname="Ccallohuanca", given_names="R.")
    sparse = register(initial).person_id
    assert sparse != outcome.person_id

    def found(asked: Demographics, known: UUID | None = None) -> set[UUID]:
        wanted = normalise(asked)
        return set(find_likely(session, engine, wanted, blind_keys(engine.sealer, blocking_keys(wanted)), known))

    assert found(rare) == {outcome.person_id}
    assert found(replace(rare, documents=(), birth_date=None, phone=None)) == {outcome.person_id, sparse}
    assert found(rare, outcome.source_record_id) == {outcome.person_id, sparse}


def test_what_shares_one_key_is_opened_at_once_where_nothing_shares_more(
    session: Session, engine: Engine, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = replace(ROSA, paternal_surname="Azurmendi", maternal_surname="Ccallohuanca")
    known = register(rare).person_id
    monkeypatch.setattr(SAID, "ask", None)

    def found(asked: Demographics) -> set[UUID]:
        wanted = normalise(asked)
        return set(find_likely(session, engine, wanted, blind_keys(engine.sealer, blocking_keys(wanted))))

    assert found(Demographics(paternal_surname="Azurmendi", maternal_surname="Ccallohuanca", given_names="R.")) == {
        known
    }
