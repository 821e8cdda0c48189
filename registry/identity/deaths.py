"""Whether a person has died, as far as the registry knows."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session

from registry.identity.models import Membership, SourceRecord
from registry.identity.persons import REPLACED

_DIED = select(
    exists().where(
        Membership.person_id == bindparam("person_id"),
        Membership.source_record_id == SourceRecord.id,
        SourceRecord.active,
        SourceRecord.deceased_confirmed | (SourceRecord.deceased_reported & ~SourceRecord.verified),
    )
)

_LIFE = REPLACED.add_columns(_DIED.scalar_subquery())


@dataclass(frozen=True, slots=True)
class Life:
    """The ids under which a person's history is written, and whether the person has died."""

    ids: frozenset[UUID]
    deceased: bool


def life_of(session: Session, person_id: UUID) -> Life:
    """`list_person_ids` and `is_deceased` in one statement: every decision about access asks both."""
    rows = session.execute(_LIFE, {"person_id": person_id}).all()
    return Life(frozenset(row[0] for row in rows) | {person_id}, any(row[1] for row in rows))


def is_deceased(session: Session, person_id: UUID) -> bool:
    """Whether RENIEC says so of one of the person's records, or a record system does and RENIEC has not denied it.

    A record RENIEC verified after the report (each new version is asked about anew) without naming a death outweighs
    the record system's word; so a mistaken report ends by itself.
    """
    return bool(session.scalar(_DIED, {"person_id": person_id}))
