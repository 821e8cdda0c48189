"""Whether a person has died, as far as the registry knows."""

from uuid import UUID

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session

from registry.identity.models import Membership, SourceRecord

_DIED = select(
    exists().where(
        Membership.person_id == bindparam("person_id"),
        Membership.source_record_id == SourceRecord.id,
        SourceRecord.active,
        SourceRecord.deceased_confirmed | (SourceRecord.deceased_reported & ~SourceRecord.verified),
    )
)


def is_deceased(session: Session, person_id: UUID) -> bool:
    """Whether RENIEC says so of one of the person's records, or a record system does and RENIEC has not denied it.

    A record RENIEC verified after the report (each new version is asked about anew) without naming a death outweighs
    the record system's word; so a mistaken report ends by itself.
    """
    return bool(session.scalar(_DIED, {"person_id": person_id}))
