"""Who works here: roles of staff, and since when; a human is known by the blind token of their document (`member`)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, SelectBase, and_, exists, func, select
from sqlalchemy.orm import Session

from matching.records import Document
from registry.directory.documents import document_token
from registry.directory.models import Establishment, Professional, StaffRole
from registry.directory.schemas import OF_A_PLACE
from registry.sealing import Sealer


def staff_roles(session: Session, sealer: Sealer, document: Document, moment: datetime) -> frozenset[str]:
    """The roles of staff in force of the holder of that document."""
    member = document_token(sealer, document)
    return frozenset(session.scalars(select(StaffRole.role).where(_held(member, moment))))


def works_here(session: Session, member: bytes, moment: datetime) -> bool:
    """Whether the human whose document has that blind token holds a role of Minsa's staff, or may practise."""
    return bool(session.scalar(select(_works(member, moment))))


def gone_of(session: Session, members: SelectBase, moment: datetime) -> list[bytes]:
    """Those of `members`, blind tokens of documents, who hold no role and may not practise."""
    asked = members.subquery()
    member = asked.c[0]
    return list(session.scalars(select(member).where(member.is_not(None), ~_works(member, moment))))


def worked_throughout(session: Session, member: bytes, since: datetime, moment: datetime) -> bool:
    """Whether they held a role at every moment from `since` on; of who may practise now nothing more is known."""
    if session.scalar(select(_able(member))):
        return True
    held = select(StaffRole.granted_at, func.least(StaffRole.valid_until, StaffRole.ended_at))
    rows = session.execute(held.where(StaffRole.document_token == member))
    return covered([(first, end) for first, end in rows], since, moment)


def covered(spans: Iterable[tuple[datetime, datetime]], since: datetime, until: datetime) -> bool:
    """Whether some span (its end no part of it) covers each moment from `since` to `until`."""
    for first, end in sorted(spans):
        if first <= since < end:
            since = end
    return until < since


def administered(session: Session, member: bytes, moment: datetime) -> list[Establishment]:
    """The active establishments whose administrator the human with that blind token of a document is, by name."""
    query = (
        select(Establishment)
        .join(StaffRole, StaffRole.establishment_id == Establishment.id)
        .where(_held(member, moment), StaffRole.role == OF_A_PLACE, Establishment.active)
    )
    return list(session.scalars(query.order_by(Establishment.name)))


def staff_member_holds(session: Session, member: bytes, role: str, moment: datetime) -> bool:
    """Whether a human, known by the blind token of their document, holds a staff role at that moment."""
    return session.scalar(select(StaffRole.id).where(_held(member, moment), StaffRole.role == role)) is not None


def _works(member: bytes | ColumnElement[Any], moment: datetime) -> ColumnElement[bool]:
    return exists().where(_held(member, moment)) | _able(member)


def _able(member: bytes | ColumnElement[Any]) -> ColumnElement[bool]:
    return exists().where(Professional.document_token == member, Professional.able_to_practise)


def _held(member: bytes | ColumnElement[Any], moment: datetime) -> ColumnElement[bool]:
    """Of a statement about roles of staff: those in force of the human with that blind token of a document."""
    return and_(
        StaffRole.document_token == member,
        StaffRole.ended_at.is_(None),
        StaffRole.granted_at <= moment,
        StaffRole.valid_until > moment,
    )
