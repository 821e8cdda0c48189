"""The audit's tables; the database refuses to change or delete a row."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Index, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, new_id, now


class AuditEvent(Base):
    """One access or change, permitted or refused; ids only, readable without any key."""

    __tablename__ = "audit_events"
    __table_args__ = (Index("ix_audit_events_person_id_recorded_at", "person_id", "recorded_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    recorded_at: Mapped[datetime] = mapped_column(default=now, index=True)
    request_id: Mapped[str | None]
    action: Mapped[str]
    outcome: Mapped[str]
    reason: Mapped[str | None]
    person_id: Mapped[UUID | None]
    source_record_id: Mapped[UUID | None]
    establishment_id: Mapped[UUID | None]
    holder_id: Mapped[UUID | None]
    client_id: Mapped[str | None]
    professional_id: Mapped[UUID | None]
    actor_person_id: Mapped[UUID | None]
    actor_role: Mapped[str | None]
    purpose: Mapped[str | None]
    consent_id: Mapped[UUID | None]
    token_id: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


class AuditSegment(Base):
    """Events chained together: which, in their order, and a keyed hash of them and of the segment before.

    `marks` are the first bytes of each event's own hash: they tell which event was changed, the hash that one was.
    """

    __tablename__ = "audit_segments"

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    events: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    marks: Mapped[bytes]
    reached_at: Mapped[datetime] = mapped_column(index=True)
    reached_id: Mapped[UUID]
    """The newest event of this segment and those before it: what is newer is in none of them."""

    chained_at: Mapped[datetime]
    hash: Mapped[bytes]
