"""Who takes part: look-ups of establishments, record systems, professionals and staff, and whether each may act now."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    bindparam,
    exists,
    or_,
    select,
)
from sqlalchemy.orm import Session

from matching.records import Document
from registry.directory.documents import document_token
from registry.directory.models import (
    Affiliation,
    ClientCertificate,
    Establishment,
    Professional,
    RecordSystem,
)
from registry.errors import NotFound
from registry.questions import Question
from registry.sealing import DataKey, Sealer

PROFESSIONAL_CONTEXT = "professional"
STAFF_CONTEXT = "staff-role"

# Every request of a record system and every decision about access asks these: they are made once.
RECORD_SYSTEM = (
    select(RecordSystem)
    .where(RecordSystem.client_id == bindparam("client_id"))
    .execution_options(populate_existing=True)
)
CERTIFICATE = (
    select(ClientCertificate)
    .where(ClientCertificate.sha256 == bindparam("sha256"), ClientCertificate.ended_at.is_(None))
    .execution_options(populate_existing=True)
)
AFFILIATED = exists().where(
    Affiliation.professional_id == Professional.id,
    Affiliation.establishment_id == Establishment.id,
    Affiliation.valid_from <= bindparam("moment"),
    or_(Affiliation.valid_until.is_(None), Affiliation.valid_until > bindparam("moment")),
)
STANDS = (Professional.able_to_practise, Establishment.active, AFFILIATED.label("affiliated"))
"""What `standing_fault` judges, of a statement with a `moment` that joins both."""

STANDING = Question(
    select(*STANDS)
    .select_from(Professional)
    .join(Establishment, Establishment.id == bindparam("establishment_id"))
    .where(Professional.id == bindparam("professional_id"))
)


@dataclass(frozen=True, slots=True)
class PersonalData:
    """What is sealed of a professional: the document and the names."""

    document_type: str
    document_number: str
    document_country: str
    names: str
    paternal_surname: str
    maternal_surname: str

    @property
    def display_name(self) -> str:
        """Names and surnames in the order the person uses."""
        return " ".join(filter(None, (self.names, self.paternal_surname, self.maternal_surname)))


def get_establishment(session: Session, key: UUID | str) -> Establishment:
    """An establishment by id or RENIPRESS code; raises NotFound."""
    found = (
        session.get(Establishment, key)
        if isinstance(key, UUID)
        else session.scalar(select(Establishment).where(Establishment.renipress == key))
    )
    if found is None:
        raise NotFound("There is no such establishment in the directory.", code="unknown-establishment")
    return found


def list_establishments(session: Session, ids: Collection[UUID] | None = None) -> list[Establishment]:
    """The establishments of those ids, or all of them, by name."""
    query = select(Establishment).order_by(Establishment.name, Establishment.renipress)
    if ids is not None:
        query = query.where(Establishment.id.in_(ids))
    return list(session.scalars(query))


def find_by_identifier_system(session: Session, system: str) -> Establishment | None:
    """The establishment whose local numbers carry that identifier system."""
    return session.scalar(select(Establishment).where(Establishment.identifier_system == system))


def list_by_identifier_systems(session: Session, systems: Collection[str]) -> Sequence[Establishment]:
    """The establishments whose local numbers carry any of those identifier systems."""
    return session.scalars(select(Establishment).where(Establishment.identifier_system.in_(systems))).all()


def find_by_namespace(session: Session, namespace: str) -> Establishment | None:
    """The establishment whose local numbers HL7 v2 messages know by that name, or by its RENIPRESS code."""
    named = session.scalar(select(Establishment).where(Establishment.hl7_namespace == namespace))
    return named or session.scalar(select(Establishment).where(Establishment.renipress == namespace))


def find_certificate(session: Session, sha256: bytes) -> ClientCertificate | None:
    """The registration in force of a TLS client certificate, read anew: its standing is checked on every message."""
    return session.scalar(CERTIFICATE, {"sha256": sha256})


def find_record_system(session: Session, client_id: str) -> RecordSystem | None:
    """The record system of an OAuth client id, read anew: its standing is checked on every call."""
    return session.scalar(RECORD_SYSTEM, {"client_id": client_id})


def get_record_system(session: Session, client_id: str) -> RecordSystem:
    """`find_record_system`; raises NotFound. Ask `unusable(now)` before serving it."""
    found = find_record_system(session, client_id)
    if found is None:
        raise NotFound("There is no such record system in the directory.", code="unknown-record-system")
    return found


def list_record_systems(session: Session) -> list[RecordSystem]:
    """Every record system, by client id."""
    return list(session.scalars(select(RecordSystem).order_by(RecordSystem.client_id)))


def find_professional(session: Session, sealer: Sealer, document: Document) -> Professional | None:
    """The professional who holds that identity document."""
    return session.scalar(select(Professional).where(Professional.document_token == document_token(sealer, document)))


def get_professional(session: Session, professional_id: UUID) -> Professional:
    """A professional by id; raises NotFound."""
    found = session.get(Professional, professional_id)
    if found is None:
        raise NotFound("There is no such professional in the directory.", code="unknown-professional")
    return found


def get_professional_by_registration(session: Session, college: str, number: str) -> Professional:
    """A professional by college (such as CMP) and registration number; raises NotFound."""
    query = select(Professional).where(Professional.college == college, Professional.number == number)
    found = session.scalar(query)
    if found is None:
        raise NotFound("There is no such professional in the directory.", code="unknown-professional")
    return found


def unable_to_act(session: Session, professional_id: UUID, establishment_id: UUID, moment: datetime) -> str | None:
    """Why a professional may not act at an establishment now; None when able to practise and affiliated there.

    One statement. Raises NotFound where the directory knows no such professional or establishment.
    """
    where = {"professional_id": professional_id, "establishment_id": establishment_id, "moment": moment}
    standing = STANDING.ask_one(session, **where)
    if standing is None:
        raise NotFound("There is no such professional in the directory.", code="unknown-professional")
    return standing_fault(*standing)


def standing_fault(able_to_practise: bool, active: bool, affiliated: bool) -> str | None:
    """What of a professional's standing at an establishment is in the way, the gravest first; None where nothing is."""
    if not able_to_practise:
        return "not-able-to-practise"
    if not active:
        return "establishment-inactive"
    return None if affiliated else "not-affiliated"


def able_to_act(professional_id: ColumnElement[UUID], establishment_id: ColumnElement[UUID]) -> ScalarSelect[bool]:
    """Of a statement with a `moment`: what `unable_to_act` finds nothing against; NULL where nobody is known."""
    return (
        select(Professional.able_to_practise & Establishment.active & AFFILIATED)
        .join(Establishment, Establishment.id == establishment_id)
        .where(Professional.id == professional_id)
        .scalar_subquery()
    )


def colleagues(session: Session, establishment_id: UUID, professional_id: UUID, moment: datetime) -> list[UUID]:
    """The other professionals who may act at an establishment now."""
    query = (
        select(Affiliation)
        .join(Professional, Professional.id == Affiliation.professional_id)
        .where(Affiliation.establishment_id == establishment_id, Professional.able_to_practise)
        .where(Affiliation.professional_id != professional_id)
    )
    return sorted({one.professional_id for one in session.scalars(query) if one.in_force(moment)})


def workplaces(session: Session, professional: Professional, moment: datetime) -> list[Establishment]:
    """The active establishments where the professional may act now, by name."""
    query = select(Affiliation).where(Affiliation.professional_id == professional.id)
    places = {a.establishment for a in session.scalars(query) if a.in_force(moment) and a.establishment.active}
    return sorted(places, key=lambda place: place.name) if professional.able_to_practise else []


def personal_data(session: Session, sealer: Sealer, professional: Professional) -> PersonalData:
    """Unseal a professional's document and names; raises SealError when the data key was destroyed."""
    return _personal(sealer.open(session, professional.id, professional.sealed, PROFESSIONAL_CONTEXT))


def display_name(session: Session, sealer: Sealer, professional: Professional) -> str:
    """The professional's names and surnames, for the people who have a right to know who acted."""
    return personal_data(session, sealer, professional).display_name


def display_names(session: Session, sealer: Sealer, ids: Collection[UUID]) -> dict[UUID, str]:
    """The names of many professionals in one statement; one who is unknown or was erased has no entry."""
    return {key: one.display_name for key, one in personal_data_of(session, sealer, ids).items()}


def personal_data_of(session: Session, sealer: Sealer, ids: Collection[UUID]) -> dict[UUID, PersonalData]:
    """`personal_data` of many professionals in one statement; one who is unknown or was erased has no entry."""
    query = (
        select(Professional.sealed, DataKey)
        .join(DataKey, DataKey.owner_id == Professional.id)
        .where(Professional.id.in_(ids))
    )
    return {
        key.owner_id: _personal(sealer.unseal(key, sealed, PROFESSIONAL_CONTEXT))
        for sealed, key in session.execute(query)
    }


def _personal(plaintext: bytes) -> PersonalData:
    return PersonalData(**json.loads(plaintext))
