"""Tables of emergency access: the cases, their reviews, and who may not declare emergencies any more."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, new_id, now


class EmergencyAccess(Base):
    """One case: asked by a record system or begun in the portal, open once the professional has declared it.

    The professional's own words are sealed under the case's data key. `consent_id` is the permission the declaration
    makes in the person's place (channel `emergency`), which the tokens rest on; whoever ends it ends them.
    """

    __tablename__ = "emergency_accesses"
    __table_args__ = (
        Index("ix_emergency_accesses_person_id_declared_at", "person_id", "declared_at"),
        Index("ix_emergency_accesses_professional_id_declared_at", "professional_id", "declared_at"),
        Index(
            "ix_emergency_accesses_unreviewed",
            "review_due_at",
            postgresql_where=text("declared_at IS NOT NULL AND reviewed_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID]
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), index=True)
    professional_id: Mapped[UUID] = mapped_column(ForeignKey("professionals.id"))
    client_id: Mapped[str | None]
    asked_at: Mapped[datetime] = mapped_column(default=now)
    declare_until: Mapped[datetime]
    reason: Mapped[str | None]
    sealed_text: Mapped[bytes | None]
    consent_id: Mapped[UUID | None] = mapped_column(ForeignKey("consents.id"), unique=True)
    declared_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    disputed_at: Mapped[datetime | None]
    """When the person said they do not recognise it."""
    review_due_at: Mapped[datetime | None]
    reviewed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class EmergencyReview(Base):
    """A judgement of a case by a privacy officer; append-only, the newest counts. The note is sealed with the case."""

    __tablename__ = "emergency_reviews"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    emergency_id: Mapped[UUID] = mapped_column(ForeignKey("emergency_accesses.id"), index=True)
    reviewer: Mapped[str]
    """The blind token of the officer's document, in hex."""
    outcome: Mapped[str]
    sealed_note: Mapped[bytes]
    at: Mapped[datetime] = mapped_column(default=now)


class EmergencySuspension(Base):
    """A professional who may not declare emergencies since a case was judged misuse, until it is lifted."""

    __tablename__ = "emergency_suspensions"
    __table_args__ = (
        Index(
            "ix_emergency_suspensions_current",
            "professional_id",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    professional_id: Mapped[UUID] = mapped_column(ForeignKey("professionals.id"))
    emergency_id: Mapped[UUID] = mapped_column(ForeignKey("emergency_accesses.id"))
    since: Mapped[datetime] = mapped_column(default=now)
    lifted_at: Mapped[datetime | None]
    lifted_because: Mapped[str | None]
