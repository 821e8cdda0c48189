"""What imports and exports have in common: whose they are, how they are tried again, what is destroyed at their end."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Delete, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from registry.bulk.export.models import Export
from registry.bulk.models import FAILED, PROCESSING, Import
from registry.database import now
from registry.sealing import DataKey

Transfer = TypeVar("Transfer", Import, Export)
MOST_LISTED = 100
LEASE, LONGEST_LEASE = timedelta(seconds=60), timedelta(hours=1)
MOST_ATTEMPTS = 8
"""Attempts in a row that led nowhere, over three hours, after which a transfer is given up."""

GIVEN_UP = "given-up"
COUNTED = timedelta(days=7)
"""How long one that was given up is counted for the operator."""


def lend(session: Session, kind: type[Transfer], give_up: Callable[[Session, Transfer], None]) -> Transfer | None:
    """One to go on with, lent for a minute, twice as long after each attempt without progress; None when none is due.

    Whichever has waited longest, since its last turn or its last part, so that a long one holds up no other.
    The attempt counts from here on, so that one which kills its worker is counted too; progress sets it back to 0.
    """
    due = select(kind).where(kind.status == PROCESSING, or_(kind.leased_until.is_(None), kind.leased_until < now()))
    waiting = func.coalesce(kind.leased_until, kind.changed_at)
    found = session.scalars(due.order_by(waiting, kind.id).limit(1).with_for_update(skip_locked=True)).one_or_none()
    if found is None:
        return None
    if found.attempts >= MOST_ATTEMPTS:
        give_up(session, found)
        return None
    found.leased_until = now() + min(LEASE * 2**found.attempts, LONGEST_LEASE)
    found.attempts += 1
    session.flush()
    return found


def count_troubled(session: Session, kind: type[Transfer]) -> dict[str, int]:
    """How many are tried again (`failing`), and how many were given up in the last week (`given-up`)."""
    failing = select(func.count()).where(_is_failing(kind))
    given_up = select(func.count()).where(_was_given_up(kind))
    return {"failing": session.scalar(failing) or 0, GIVEN_UP: session.scalar(given_up) or 0}


def list_troubled(session: Session, kind: type[Transfer]) -> Sequence[Transfer]:
    """Those that are counted as troubled, oldest first, at most 100."""
    query = select(kind).where(or_(_is_failing(kind), _was_given_up(kind)))
    return session.scalars(query.order_by(kind.id).limit(MOST_LISTED)).all()


def _is_failing(kind: type[Transfer]) -> ColumnElement[bool]:
    return and_(kind.status == PROCESSING, kind.attempts > 1)


def _was_given_up(kind: type[Transfer]) -> ColumnElement[bool]:
    return and_(kind.status == FAILED, kind.error == GIVEN_UP, kind.changed_at > now() - COUNTED)


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
