"""Who may act in another's name: putting it on record with what it rests on, ending it, finding it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from matching.records import Document, DocumentType
from registry.audit.event import Detail
from registry.database import new_id, now
from registry.directory.canonical import dump
from registry.directory.documents import document_token
from registry.directory.models import Representation
from registry.errors import NotFound
from registry.sealing import Sealer

CONTEXT = "representation"


class Basis(StrEnum):
    """Why somebody may act for another (Código Civil; D. Leg. 1384 for supports)."""

    PARENT = "parent"
    GUARDIAN = "guardian"
    POWER = "power"
    SUPPORT = "support"


OF_MINORS = frozenset({Basis.PARENT, Basis.GUARDIAN})
"""What majority ends."""


class Power(StrEnum):
    """What they may do: see who reads and where the records are, decide about it, exercise the rights of Ley 29733."""

    SEE = "see"
    DECIDE = "decide"
    RIGHTS = "rights"


PAPERS = frozenset({"birth-record", "ruling", "notarial-power", "support-deed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What a representation rests on: a kind of document, its reference, the SHA-256 of its image if one is kept."""

    kind: str
    reference: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """A representation to put on record; `ends_on` is the day in Lima on which majority will end it."""

    person_id: UUID
    document: Document
    name: str
    basis: Basis
    powers: frozenset[Power]
    paper: Paper
    recorded_by: Mapping[str, Detail]
    valid_from: datetime
    valid_until: datetime | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Representative:
    """What is sealed of a representation."""

    document: Document
    name: str
    reference: str
    ends_on: date | None


def add_representation(session: Session, sealer: Sealer, appointment: Appointment) -> Representation:
    """Put a representation on record; its terms were checked before."""
    identity = new_id()
    document = appointment.document
    plaintext = dump(
        {
            "type": document.type,
            "number": document.number,
            "country": document.country,
            "name": appointment.name,
            "reference": appointment.paper.reference,
            "ends_on": appointment.ends_on.isoformat() if appointment.ends_on else None,
        }
    )
    row = Representation(
        id=identity,
        person_id=appointment.person_id,
        representative_token=document_token(sealer, document),
        sealed=sealer.seal(session, identity, plaintext, CONTEXT),
        basis=appointment.basis.value,
        powers=sorted(appointment.powers),
        evidence={"paper": appointment.paper.kind, "sha256": appointment.paper.sha256, **appointment.recorded_by},
        valid_from=appointment.valid_from,
        valid_until=appointment.valid_until,
    )
    session.add(row)
    session.flush()
    return row


def close_representation(session: Session, row: Representation, reason: str) -> None:
    """End it now; one that has ended stays as it is."""
    if row.ended_at is None:
        row.ended_at, row.end_reason = now(), reason
        session.flush()


def get_representation(session: Session, representation_id: UUID) -> Representation:
    """A representation by id, ended or not; raises NotFound."""
    found = session.get(Representation, representation_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such representation.", code="unknown-representation")
    return found


def list_of_person(session: Session, person_ids: Sequence[UUID]) -> Sequence[Representation]:
    """Who represents a person or did, newest first."""
    query = select(Representation).where(Representation.person_id.in_(person_ids))
    return session.scalars(query.order_by(Representation.recorded_at.desc())).all()


def list_of_representative(session: Session, sealer: Sealer, document: Document) -> Sequence[Representation]:
    """What the holder of a document represents and nobody ended, oldest first; whether it counts is not said."""
    query = select(Representation).where(
        Representation.representative_token == document_token(sealer, document), Representation.ended_at.is_(None)
    )
    return session.scalars(query.order_by(Representation.recorded_at)).all()


def open_representative(session: Session, sealer: Sealer, row: Representation) -> Representative:
    """Unseal who represents and when majority ends it; raises SealError when the data key was destroyed."""
    body = json.loads(sealer.open(session, row.id, row.sealed, CONTEXT))
    return Representative(
        document=Document(DocumentType(body["type"]), body["number"], body["country"]),
        name=body["name"],
        reference=body["reference"],
        ends_on=date.fromisoformat(body["ends_on"]) if body["ends_on"] else None,
    )
