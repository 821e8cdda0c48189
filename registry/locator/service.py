"""Locating the holders of a person's records."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.identity.models import Membership, SourceRecord


@dataclass(frozen=True, slots=True)
class Holder:
    """An establishment that holds a record of the person, under the id both sides share for the patient."""

    establishment_id: UUID
    source_record_id: UUID
    last_received: datetime


def locate(session: Session, person_id: UUID) -> list[Holder]:
    """The active source records of a current person, by establishment; empty for an unknown person."""
    query = (
        select(SourceRecord.establishment_id, SourceRecord.id, SourceRecord.received_at)
        .join(Membership, Membership.source_record_id == SourceRecord.id)
        .where(Membership.person_id == person_id, SourceRecord.active)
        .order_by(SourceRecord.establishment_id, SourceRecord.id)
    )
    return [Holder(*row) for row in session.execute(query)]
