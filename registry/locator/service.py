"""Locating the holders of a person's records."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from registry.identity.models import NAMES_DIFFER, Membership, PossibleMatch, SourceRecord, Verification
from registry.identity.placement import DOCUMENT_CONFLICT

REFUTED = exists().where(
    Verification.source_record_id == SourceRecord.id,
    Verification.version == SourceRecord.version,
    Verification.status == NAMES_DIFFER,
)
IN_CONFLICT = ~SourceRecord.verified & exists().where(
    PossibleMatch.source_record_id == SourceRecord.id,
    PossibleMatch.status == "open",
    PossibleMatch.reason == DOCUMENT_CONFLICT,
)


@dataclass(frozen=True, slots=True)
class Holder:
    """An establishment that holds a record of the person, under the id both sides share for the patient.

    `contested` when the record's document may be somebody else's: RENIEC knows its DNI under other names, or a steward
    has a case about its document and RENIEC has not confirmed it. Nothing is to be read under a contested record.
    """

    establishment_id: UUID
    source_record_id: UUID
    last_received: datetime
    contested: bool = False


def locate(session: Session, person_id: UUID) -> list[Holder]:
    """The active source records of a current person, by establishment; empty for an unknown person."""
    query = (
        select(SourceRecord.establishment_id, SourceRecord.id, SourceRecord.received_at, REFUTED | IN_CONFLICT)
        .join(Membership, Membership.source_record_id == SourceRecord.id)
        .where(Membership.person_id == person_id, SourceRecord.active)
        .order_by(SourceRecord.establishment_id, SourceRecord.id)
    )
    return [Holder(*row) for row in session.execute(query)]
