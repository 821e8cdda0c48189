"""What imports and exports have in common: whose they are, which are listed, and what is destroyed at their end."""

from collections.abc import Collection, Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Delete, delete, select
from sqlalchemy.orm import Session

from registry.bulk.export.models import Export
from registry.bulk.models import Import
from registry.database import now
from registry.sealing import DataKey

Transfer = TypeVar("Transfer", Import, Export)
MOST_LISTED = 100


def find_of(
    session: Session, kind: type[Transfer], places: Collection[UUID], key: UUID, *, hold: bool
) -> Transfer | None:
    """The transfer, if it is one of these establishments'; locked where it is to be changed."""
    query = select(kind).where(kind.id == key, kind.establishment_id.in_(places))
    return session.scalars(query.with_for_update() if hold else query).one_or_none()


def list_of(session: Session, kind: type[Transfer], establishment_id: UUID) -> Sequence[Transfer]:
    """An establishment's transfers, newest first, at most 100."""
    query = select(kind).where(kind.establishment_id == establishment_id)
    return session.scalars(query.order_by(kind.id.desc()).limit(MOST_LISTED)).all()


def let_go(session: Session, found: Import | Export, parts: Delete, status: str, error: str | None) -> None:
    """End it: its parts are deleted by that statement, and their data key is destroyed."""
    session.execute(parts)
    session.execute(delete(DataKey).where(DataKey.owner_id == found.id))
    found.status, found.error, found.leased_until, found.changed_at = status, error, None, now()
    session.flush()
