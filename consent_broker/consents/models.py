"""Tables of consent: what was asked, what was directed, and every version of it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text, Uuid

from registry.database import Base, new_id, now


class Consent(Base):
    """A directive of one person towards one grantee; the row never changes, its versions say the rest."""

    __tablename__ = "consents"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(index=True)
    kind: Mapped[str]
    establishment_id: Mapped[UUID | None] = mapped_column(ForeignKey("establishments.id"), index=True)
    professional_id: Mapped[UUID | None] = mapped_column(ForeignKey("professionals.id"))
    establishment_category: Mapped[str | None]
    establishment_sector: Mapped[str | None]
    treating: Mapped[bool] = mapped_column(default=False)
    hides: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


class ConsentVersion(Base):
    """One state of a consent, append-only; the newest is in force. Two writers of one number: one loses."""

    __tablename__ = "consent_versions"

    consent_id: Mapped[UUID] = mapped_column(ForeignKey("consents.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    categories: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    purposes: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    labels: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    sources: Mapped[list[UUID] | None] = mapped_column(ARRAY(Uuid))
    items: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    data_from: Mapped[date | None]
    data_until: Mapped[date | None]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    recorded_at: Mapped[datetime] = mapped_column(default=now)
    reason: Mapped[str | None]
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """Who acted, how surely they were known (acr, auth_time), where, and the SHA-256 of the text they saw."""


class AccessRequest(Base):
    """A professional's request; its id is the `launch` of the authorization request that may follow."""

    __tablename__ = "access_requests"
    __table_args__ = (Index("ix_access_requests_person_id_status", "person_id", "status"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    consent_id: Mapped[UUID] = mapped_column(ForeignKey("consents.id"), index=True)
    client_id: Mapped[str | None]
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), index=True)
    professional_id: Mapped[UUID] = mapped_column(ForeignKey("professionals.id"), index=True)
    person_id: Mapped[UUID]
    purpose: Mapped[str]
    categories: Mapped[list[str]] = mapped_column(ARRAY(Text))
    labels: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    """What is sensitive and asked for by name."""
    ends_at: Mapped[datetime]
    status: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    decided_at: Mapped[datetime | None]
