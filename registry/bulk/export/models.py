"""Tables of exports: what was asked for, how far it is, and the sealed parts of its files until they expire."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, new_id, now

PROCESSING, COMPLETED, FAILED, CANCELLED, EXPIRED = "processing", "completed", "failed", "cancelled", "expired"
"""Statuses of an export; only of the first two are there parts."""


class Export(Base):
    """One establishment's export; `position` is the last record looked at, committed with each part.

    `seen` counts the records looked at, of `total` there were at its beginning; `written` those that are in it, and
    `left_out` those that could not be.
    """

    __tablename__ = "exports"
    __table_args__ = (Index("ix_exports_open", "id", postgresql_where=text("status = 'processing'")),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), index=True)
    client_id: Mapped[str]
    token_id: Mapped[str | None]
    request: Mapped[str]
    """The address it was asked for at, as the manifest repeats it."""
    since: Mapped[datetime | None]
    elements: Mapped[str | None]
    status: Mapped[str] = mapped_column(default=PROCESSING)
    error: Mapped[str | None]
    position: Mapped[bytes | None]
    total: Mapped[int | None] = mapped_column(BigInteger)
    seen: Mapped[int] = mapped_column(BigInteger, default=0)
    written: Mapped[int] = mapped_column(BigInteger, default=0)
    left_out: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    """Attempts since it last got on."""

    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def percent(self) -> int:
        """How far it is."""
        return 100 * self.seen // self.total if self.total else 0


class ExportPart(Base):
    """Some lines of NDJSON, compressed and sealed under the export's own data key."""

    __tablename__ = "export_parts"

    export_id: Mapped[UUID] = mapped_column(ForeignKey("exports.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[int]
    sealed: Mapped[bytes]


class ExportFault(Base):
    """A record that an export could not hold, and why; its id only."""

    __tablename__ = "export_faults"

    export_id: Mapped[UUID] = mapped_column(ForeignKey("exports.id"), primary_key=True)
    record_id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
