"""Tables of re-resolution: models by their hash, runs in slices, what each run would change, and who approved it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Uuid

from registry.database import Base, new_id, now

SHADOW, REPORTED, APPROVED, APPLYING, APPLIED, CANCELLED = (
    "shadow", "reported", "approved", "applying", "applied", "cancelled",
)  # fmt: skip
"""Statuses of a run: judging, waiting for stewards, approved by two, changing the index, done, given up."""
OPEN = (SHADOW, REPORTED, APPROVED, APPLYING)

PROPOSED, DONE, STALE = "proposed", "applied", "stale"
"""Statuses of a change; stale when the records say something else by now, so that nobody approved what they ask for."""


class MatchModel(Base):
    """A model's document by its hash, so that every process judges with the very same one."""

    __tablename__ = "match_models"

    hash: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    added_at: Mapped[datetime] = mapped_column(default=now)


class ReresolutionRun(Base):
    """One run of a model over the index; one at a time is open.

    `position` is that of the last membership event when it began: what came after it is drift.
    """

    __tablename__ = "reresolution_runs"
    __table_args__ = (
        Index(
            "ix_reresolution_runs_open",
            text("(true)"),
            unique=True,
            postgresql_where=text("status IN ('shadow', 'reported', 'approved', 'applying')"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    model_hash: Mapped[str] = mapped_column(ForeignKey("match_models.hash"))
    former_hash: Mapped[str]
    started_by: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(default=now)
    status: Mapped[str] = mapped_column(default=SHADOW)
    position: Mapped[int] = mapped_column(BigInteger)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    reported_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]


class ReresolutionSlice(Base):
    """The persons after one id, up to another: judged together, in one transaction. `persons` counts them."""

    __tablename__ = "reresolution_slices"
    __table_args__ = (
        Index("ix_reresolution_slices_due", "run_id", "number", postgresql_where=text("done_at IS NULL")),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("reresolution_runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    after: Mapped[UUID | None]
    until: Mapped[UUID]
    persons: Mapped[int] = mapped_column(default=0)
    records: Mapped[int] = mapped_column(default=0)
    too_big: Mapped[int] = mapped_column(default=0)
    done_at: Mapped[datetime | None]


class ReresolutionChange(Base):
    """Something the model would change, and what became of it; ids, levels and weights only.

    `kind`: `unlink` (records leave for a person of their own), `link` (they leave for `target_id`), `merge` (the whole
    person joins `target_id`), `review` (nothing moves, a steward is asked).
    """

    __tablename__ = "reresolution_changes"
    __table_args__ = (
        UniqueConstraint("run_id", "kind", "person_id", "records"),
        Index("ix_reresolution_changes_run_id_status_rank_id", "run_id", "status", "rank", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("reresolution_runs.id"))
    rank: Mapped[int]
    kind: Mapped[str]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    target_id: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"))
    records: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    rivals: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    reason: Mapped[str]
    weight: Mapped[float | None]
    contributions: Mapped[list[Any] | None] = mapped_column(JSONB)
    status: Mapped[str] = mapped_column(default=PROPOSED)
    settled_at: Mapped[datetime | None]


class ReresolutionApproval(Base):
    """A steward's approval of a run's report, by the handle of the human; append-only."""

    __tablename__ = "reresolution_approvals"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("reresolution_runs.id"), primary_key=True)
    steward: Mapped[str] = mapped_column(primary_key=True)
    approved_at: Mapped[datetime] = mapped_column(default=now)
