"""What others may know of who takes part in a reading: who asks, and where records are asked for; a statement each."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, bindparam, select
from sqlalchemy.orm import Session

from registry.directory.models import Establishment, Professional
from registry.errors import NotFound
from registry.questions import Question

_PARTY = Question(
    select(Establishment.name, Establishment.renipress, Professional.college, Professional.number)
    .select_from(Establishment)
    .outerjoin(Professional, Professional.id == bindparam("professional_id"))
    .where(Establishment.id == bindparam("establishment_id"))
)
_ADDRESSES = Question(
    select(
        Establishment.id,
        Establishment.renipress,
        Establishment.name,
        Establishment.fhir_endpoint,
        Establishment.pide_service,
    ).where(Establishment.id == any_(bindparam("ids", type_=ARRAY(Uuid))), Establishment.active)
)


@dataclass(frozen=True, slots=True)
class Party:
    """An establishment that acts, and the registration of its professional (`CMP 012345`), where there is one."""

    name: str
    renipress: str
    registration: str | None


@dataclass(frozen=True, slots=True)
class Address:
    """An active establishment and the FHIR base of its records."""

    renipress: str
    name: str
    fhir_endpoint: str | None
    pide_service: str | None


def get_party(session: Session, establishment_id: UUID, professional_id: UUID | None) -> Party:
    """Who acts, as others may know it; raises NotFound for an unknown establishment."""
    found = _PARTY.ask_one(session, establishment_id=establishment_id, professional_id=professional_id)
    if found is None:
        raise NotFound("There is no such establishment in the directory.", code="unknown-establishment")
    name, renipress, college, number = found
    return Party(name, renipress, f"{college} {number}" if college else None)


def list_addresses(session: Session, ids: Collection[UUID]) -> dict[UUID, Address]:
    """Of those establishments the active ones: what they are called, and where their records are asked for."""
    return {key: Address(*row) for key, *row in _ADDRESSES.ask(session, ids=list(ids))}
