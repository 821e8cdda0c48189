"""Whether a person has died, as far as the registry knows."""

from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from registry.identity.models import Membership, SourceRecord


def is_deceased(session: Session, person_id: UUID) -> bool:
    """Whether RENIEC says so of one of the person's records, or a record system does and RENIEC has not denied it.

    A record RENIEC verified after the report (each new version is asked about anew) without naming a death outweighs
    the record system's word; so a mistaken report ends by itself.
    """
    died = SourceRecord.deceased_confirmed | (SourceRecord.deceased_reported & ~SourceRecord.verified)
    mine = exists().where(
        Membership.person_id == person_id, Membership.source_record_id == SourceRecord.id, SourceRecord.active, died
    )
    return bool(session.scalar(select(mine)))
