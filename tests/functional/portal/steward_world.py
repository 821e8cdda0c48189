"""Doubtful records for stewards to look at, registered as a record system would."""

from dataclasses import replace
from datetime import date
from uuid import UUID

from sqlalchemy import select

from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.database import new_id
from registry.directory.service import get_establishment
from registry.identity.models import PossibleMatch
from registry.identity.service import Content, Engine, Outcome, Registration, engine_of, register_source_record
from sandbox import story

ELENA = Demographics(
    documents=(Document(DocumentType.DNI, "41220987"),),
    paternal_surname="Ñaupari",
    maternal_surname="Villafuerte",
    given_names="Elena Soledad",
    sex="F",
    birth_date=date(1979, 11, 3),
    ubigeo="150128",
    address="Jr. Los Cedros 412",
    phone="987001122",
)


GIVEN = ("Rosa Elvira", "María Luz", "Juana Isabel", "Carmen Julia", "Ana Teresa", "Luisa Elena")
SURNAMES = ("Quispe", "Huamán", "Mamani", "Flores", "Sánchez", "Rojas", "García")


def human(seed: int) -> Demographics:
    """Somebody with names that many have, born when nobody else was."""
    return replace(
        ELENA,
        documents=(Document(DocumentType.DNI, f"{20_000_000 + seed * 7_919_311 % 70_000_000:08d}"),),
        paternal_surname=SURNAMES[seed % 7],
        maternal_surname=SURNAMES[(seed // 7 + 3) % 7],
        given_names=GIVEN[seed % 6],
        birth_date=date(1940 + seed * 7 % 61, 1 + seed * 5 % 12, 2 + seed * 11 % 26),
    )


def doubtful(facts: Demographics) -> Demographics:
    """What may be that person, and may not."""
    first = (facts.given_names or "").split()[0]
    return replace(facts, documents=(), maternal_surname=None, address=None, phone=None, given_names=first, ubigeo=None)


def register_facts(
    renhice: Renhice, facts: Demographics, renipress: str = story.ASKING.renipress, engine: Engine | None = None
) -> Outcome:
    """What a record system would have fed, to the engine in force unless another is given."""
    with renhice.database.unit_of_work() as session:
        place = get_establishment(session, renipress)
        content = Content(place.identifier_system, str(new_id()), facts)
        registration = Registration(establishment_id=place.id, client_id="sihce-test", content=content)
        return register_source_record(session, engine or engine_of(renhice), registration)


def open_doubt(renhice: Renhice, facts: Demographics) -> tuple[UUID, Outcome, Outcome]:
    """A person without a document and a record that may be theirs: the case, the person's record and the other."""
    home = register_facts(renhice, replace(facts, documents=()))
    placed = register_facts(renhice, doubtful(facts), story.HOLDING.renipress)
    assert placed.decision == "review"
    with renhice.database.unit_of_work() as session:
        case_id = session.scalar(
            select(PossibleMatch.id).where(
                PossibleMatch.source_record_id == placed.source_record_id, PossibleMatch.status == "open"
            )
        )
    assert case_id is not None
    return case_id, home, placed
