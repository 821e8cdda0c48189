"""Records of invented people, and a quick way to register them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from matching.records import Demographics, Document, DocumentType
from registry.app import Renhice
from registry.database import new_id
from registry.identity.service import Content, Engine, Outcome, Registration, engine_of, register_source_record

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
