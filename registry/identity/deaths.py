"""Whether a person has died, as far as the registry knows."""

from uuid import UUID

from sqlalchemy import Uuid, bindparam, exists, select
from sqlalchemy.orm import Session

from registry.identity.models import Membership, SourceRecord
from registry.identity.persons import with_replaced

_DIED = select(
    exists().where(
        Membership.person_id == bindparam("person_id"),
        Membership.source_record_id == SourceRecord.id,
        SourceRecord.active,
        SourceRecord.deceased_confirmed | (SourceRecord.deceased_reported & ~SourceRecord.verified),
    )
)


_IDS = with_replaced(select(bindparam("person_id", type_=Uuid).label("id")))
LIFE = select(_IDS.c.id, _DIED.scalar_subquery().label("deceased"))
"""The ids under which a person's history is written, each with whether the person has died: part of a decision's
question, as `list_person_ids` and `is_deceased` would answer it."""


def is_deceased(session: Session, person_id: UUID) -> bool:
    """Whether RENIEC says so of one of the person's records, or a record system does and RENIEC has not denied it.

    A record RENIEC verified after the report (each new version is asked about anew) without naming a death outweighs
    the record system's word; so a mistaken report ends by itself.
    """
    return bool(session.scalar(_DIED, {"person_id": person_id}))
