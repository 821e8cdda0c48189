"""What the broker asks of identity: where a person's records are."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.directory.models import Establishment
from registry.identity.models import Membership, SourceRecord


def locate_records(session: Session, person_id: UUID) -> Sequence[tuple[UUID, Establishment]]:
    """The person's source records in use and the establishments that keep them."""
    query = (
        select(SourceRecord.id, Establishment)
        .join(Membership, Membership.source_record_id == SourceRecord.id)
        .join(Establishment, Establishment.id == SourceRecord.establishment_id)
        .where(Membership.person_id == person_id, SourceRecord.active)
        .order_by(Establishment.name, SourceRecord.id)
    )
    return [(row[0], row[1]) for row in session.execute(query)]
