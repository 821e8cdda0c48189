"""Tables of imports: what was uploaded, how far it is, and what of it was refused."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, new_id, now

UPLOADING, PROCESSING, COMPLETED, FAILED, CANCELLED = "uploading", "processing", "completed", "failed", "cancelled"
"""Statuses of an import; of those past `processing` nothing of the file is kept, but of one given up, for a week."""


class Import(Base):
    """A file of one establishment; `position` is how much of it is registered, committed with each chunk.

    `position` counts bytes, `line` the lines behind it, `counts` what became of them.
    """

    __tablename__ = "imports"
    __table_args__ = (Index("ix_imports_open", "id", postgresql_where=text("status = 'processing'")),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), index=True)
    client_id: Mapped[str]
    token_id: Mapped[str | None]
    format: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    status: Mapped[str] = mapped_column(default=UPLOADING)
    error: Mapped[str | None]
    position: Mapped[int] = mapped_column(BigInteger, default=0)
    line: Mapped[int] = mapped_column(BigInteger, default=0)
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    """Attempts since it last got on."""

    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now)


class ImportPart(Base):
    """A part of the file as it was sent, sealed under the import's own data key until the file is done."""

    __tablename__ = "import_parts"

    import_id: Mapped[UUID] = mapped_column(ForeignKey("imports.id"), primary_key=True)
    offset: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    length: Mapped[int]
    sealed: Mapped[bytes]


class ImportRefusal(Base):
    """A line that was not registered, and why; nothing of what it said."""

    __tablename__ = "import_refusals"

    import_id: Mapped[UUID] = mapped_column(ForeignKey("imports.id"), primary_key=True)
    line: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    code: Mapped[str]
    expression: Mapped[str | None]
