"""Telling the establishments concerned that a person was merged, split, or lost a record: ids only, by the outbox."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry import outbox
from registry.identity.models import Membership, SourceRecord

CHANGED = "identity:person:changed"
MERGED = "identity:person:merged"
SPLIT = "identity:person:split"
UNLINKED = "identity:person:unlinked"


def tell(
    session: Session, topic: str, key: str, *, persons: tuple[UUID, UUID], records: Collection[UUID]
) -> list[UUID]:
    """Publish that `records` went from the first person to the second, and who is to be told; returns those.

    `merged`: the first leads to the second now. `split`: the second stands for itself. `unlinked`: a record moved.
    """
    establishments = list_concerned(session, persons, records)
    source, target = persons
    payload = {
        "person_id": str(source),
        "other_person_id": str(target),
        "source_record_ids": [str(record) for record in sorted(records)],
        "establishment_ids": [str(one) for one in establishments],
    }
    outbox.publish(session, topic, key, payload)
    for person in persons:
        changed = {"person_id": str(person), "source_record_id": str(min(records))}
        outbox.publish(session, CHANGED, f"{person}:{key}", changed)
    return establishments


def list_concerned(session: Session, persons: Collection[UUID], records: Collection[UUID] = ()) -> list[UUID]:
    """The establishments that hold a record of one of the persons, or one of the records."""
    query = (
        select(SourceRecord.establishment_id)
        .distinct()
        .join(Membership, Membership.source_record_id == SourceRecord.id)
        .where(Membership.person_id.in_(persons) | SourceRecord.id.in_(records))
        .order_by(SourceRecord.establishment_id)
    )
    return list(session.scalars(query))
