"""The queue of text messages: what each is about and how far it has come; neither number nor words are in it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, new_id, now


class TextMessage(Base):
    """One message to one person; its id is the gateway's key, so that a repetition is recognised.

    `kind` names who writes it and `subject_id` what about; both number and words are made when it leaves.
    """

    __tablename__ = "text_messages"
    __table_args__ = (
        UniqueConstraint("kind", "subject_id"),
        Index("ix_text_messages_due", "available_at", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    subject_id: Mapped[UUID]
    queued_at: Mapped[datetime] = mapped_column(default=now)
    available_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    outcome: Mapped[str | None]
    """`sent`, `unwritable` (too late, no number, nothing to say any more) or `refused` by the gateway."""
