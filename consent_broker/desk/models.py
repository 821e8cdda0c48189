"""Tables of the desk; of every code only what a key of ours makes of it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, new_id, now


class ShortCode(Base):
    """A short code that leads its patient to one access request, as a blind token: a hash could be tried out."""

    __tablename__ = "short_codes"

    code_token: Mapped[bytes] = mapped_column(primary_key=True)
    access_request_id: Mapped[UUID] = mapped_column(ForeignKey("access_requests.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    opened_at: Mapped[datetime | None]


class WrongCode(Base):
    """A code somebody typed that led nowhere, counted by the human who signed in: a blind token of their document."""

    __tablename__ = "wrong_codes"
    __table_args__ = (Index("ix_wrong_codes_subject_at", "subject", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    subject: Mapped[bytes]
    at: Mapped[datetime] = mapped_column(default=now)
