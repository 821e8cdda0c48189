"""What others may know of who takes part in a reading: who asks, and where records are asked for."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from registry.directory.models import Establishment, Professional
from registry.errors import NotFound
from registry.questions import Question

PARTIES = (
    select(Establishment.name, Establishment.renipress, Professional.college, Professional.number)
    .select_from(Establishment)
    .outerjoin(Professional, Professional.id == bindparam("professional_id"))
    .where(Establishment.id == bindparam("establishment_id"))
)
"""`get_party` as a statement, for who asks more of them; `party_of` reads its columns."""

_PARTY = Question(PARTIES)
ADDRESS = (Establishment.renipress, Establishment.name, Establishment.fhir_endpoint, Establishment.pide_service)
"""Where an establishment's records are asked for, and what it is called; only of one that is active."""


@dataclass(frozen=True, slots=True)
class Party:
    """An establishment that acts, and the registration of its professional (`CMP 012345`), where there is one."""

    name: str
    renipress: str
    registration: str | None


def get_party(session: Session, establishment_id: UUID, professional_id: UUID | None) -> Party:
    """Who acts, as others may know it; raises NotFound for an unknown establishment."""
    found = _PARTY.ask_one(session, establishment_id=establishment_id, professional_id=professional_id)
    if found is None:
        raise NotFound("There is no such establishment in the directory.", code="unknown-establishment")
    return party_of(*found)


def party_of(name: str, renipress: str, college: str | None, number: str | None) -> Party:
    """The party in a row of `PARTIES`."""
    return Party(name, renipress, f"{college} {number}" if college else None)
