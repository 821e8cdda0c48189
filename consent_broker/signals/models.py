"""The table of signals: each one event for one establishment, kept until it has arrived."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, new_id, now


class Signal(Base):
    """One event for one establishment; its id is the `jti` of every attempt, so that a repetition is recognised.

    `subject` is the source record id by which both sides know the patient, `content` holds ids only.
    """

    __tablename__ = "signals"
    __table_args__ = (Index("ix_signals_due", "available_at", postgresql_where=text("delivered_at IS NULL")),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), index=True)
    kind: Mapped[str]
    subject: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    raised_at: Mapped[datetime] = mapped_column(default=now)
    available_at: Mapped[datetime] = mapped_column(default=now)
    attempts: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None] = mapped_column(index=True)
    last_error: Mapped[str | None]
