"""Tables of the directory: establishments, record systems, professionals, affiliations and staff roles."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.types import String

from registry.database import Base, new_id, now


class Establishment(Base):
    """A health establishment (IPRESS) by its RENIPRESS code; public data."""

    __tablename__ = "establishments"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    renipress: Mapped[str] = mapped_column(String(8), unique=True)
    name: Mapped[str]
    category: Mapped[str]
    sector: Mapped[str]
    region: Mapped[str]
    ubigeo: Mapped[str] = mapped_column(String(6))
    fhir_endpoint: Mapped[str | None]
    pide_service: Mapped[str | None]
    """`ENTITY/Service`: a public body's FHIR base as a service of PIDE; None: it is asked directly."""
    event_endpoint: Mapped[str | None]
    """Where the establishment takes security events (RFC 8935); None when it takes none."""
    identifier_system: Mapped[str] = mapped_column(unique=True)
    hl7_namespace: Mapped[str | None] = mapped_column(unique=True)
    """How HL7 v2 messages call `identifier_system` for short (HD.1); None where it has no such name."""
    active: Mapped[bool]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class RecordSystem(Base):
    """A record system (SIHCE) or app accredited for one establishment; `client_id` is its OAuth client."""

    __tablename__ = "record_systems"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[str] = mapped_column(unique=True)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), index=True)
    name: Mapped[str]
    version: Mapped[str]
    authority: Mapped[str]
    accredited_from: Mapped[datetime]
    accredited_until: Mapped[datetime]
    suspended_at: Mapped[datetime | None]
    suspension_reason: Mapped[str | None]
    profile: Mapped[str] = mapped_column(default="fapi2")
    """`fapi2` (record systems) or `smart` (apps): how it proves who it is and what its tokens are bound to."""
    jwks: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    jwks_uri: Mapped[str | None]
    """Where it publishes its keys, when they are not in `jwks`."""

    redirect_uris: Mapped[list[str]] = mapped_column(ARRAY(String))
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String))
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    establishment: Mapped[Establishment] = relationship(lazy="joined", innerjoin=True)

    def unusable(self, moment: datetime) -> str | None:
        """Why this system may not be served at that moment, None when it may (checked on every call)."""
        return why_unusable(
            self.establishment.active, self.suspended_at, self.accredited_from, self.accredited_until, moment
        )


def why_unusable(
    active: bool, suspended_at: datetime | None, since: datetime, until: datetime, moment: datetime
) -> str | None:
    """Why a record system may not be served at that moment, by its establishment's and its own standing."""
    if not active:
        return "establishment-inactive"
    if suspended_at is not None:
        return "suspended"
    if moment < since:
        return "not-yet-accredited"
    return "accreditation-ended" if moment >= until else None


class ConformanceReport(Base):
    """A report of the accreditation kit that was attached to an accreditation; the report itself is kept elsewhere."""

    __tablename__ = "conformance_reports"
    __table_args__ = (UniqueConstraint("record_system_id", "sha256"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    record_system_id: Mapped[UUID] = mapped_column(ForeignKey("record_systems.id"))
    sha256: Mapped[str] = mapped_column(String(64))
    signer: Mapped[str]
    """The thumbprint of the key that signed it (RFC 7638)."""

    finished_at: Mapped[datetime]
    verdict: Mapped[str]
    summary: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """What was tested and how it went in sum: address, scope, counts, the kit's version."""

    attached_at: Mapped[datetime] = mapped_column(default=now)


class ClientCertificate(Base):
    """A TLS client certificate by which a record system is known on the HL7 v2 port, and what its messages say there.

    Ended rows stay as history. `application` and `facility` are MSH-3.1 and MSH-4.1.
    """

    __tablename__ = "client_certificates"
    __table_args__ = (
        Index("ix_client_certificates_current", "sha256", unique=True, postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    record_system_id: Mapped[UUID] = mapped_column(ForeignKey("record_systems.id"), index=True)
    sha256: Mapped[bytes]
    application: Mapped[str]
    facility: Mapped[str]
    registered_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]

    record_system: Mapped[RecordSystem] = relationship(lazy="joined", innerjoin=True)


class Professional(Base):
    """A health professional; college and number are public, document and names are sealed."""

    __tablename__ = "professionals"
    __table_args__ = (UniqueConstraint("college", "number"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    document_token: Mapped[bytes] = mapped_column(unique=True)
    sealed: Mapped[bytes]
    college: Mapped[str]
    number: Mapped[str]
    able_to_practise: Mapped[bool]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    affiliations: Mapped[list["Affiliation"]] = relationship(back_populates="professional", lazy="selectin")


class Affiliation(Base):
    """A professional works at an establishment, in a role, for a time."""

    __tablename__ = "affiliations"
    __table_args__ = (UniqueConstraint("professional_id", "establishment_id", "role"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    professional_id: Mapped[UUID] = mapped_column(ForeignKey("professionals.id"))
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), index=True)
    role: Mapped[str]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]

    professional: Mapped[Professional] = relationship(back_populates="affiliations")
    establishment: Mapped[Establishment] = relationship(lazy="joined", innerjoin=True)

    def in_force(self, moment: datetime) -> bool:
        """Whether the affiliation covers that moment; its end is not part of it."""
        return self.valid_from <= moment and (self.valid_until is None or moment < self.valid_until)


class Representation(Base):
    """Somebody decides in another's name: a parent, a guardian, the holder of a power; ended rows stay as history.

    Sealed are the representative's document and names, the reference of the paper it rests on, and the day a parent's
    or guardian's power ends by itself: it would tell the child's birth date.
    """

    __tablename__ = "representations"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(index=True)
    representative_token: Mapped[bytes] = mapped_column(index=True)
    sealed: Mapped[bytes]
    basis: Mapped[str]
    powers: Mapped[list[str]] = mapped_column(ARRAY(String))
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)
    """What it rests on: the kind of paper, its SHA-256, who put it on record and where."""
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    recorded_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class StaffRole(Base):
    """A role of staff, granted until a date; ended rows stay as history. The document is sealed.

    An establishment's administrator holds it for that establishment, everybody else for the registry.
    """

    __tablename__ = "staff_roles"
    __table_args__ = (
        Index(
            "ix_staff_roles_current",
            "document_token",
            "role",
            "establishment_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    document_token: Mapped[bytes]
    sealed: Mapped[bytes]
    role: Mapped[str]
    establishment_id: Mapped[UUID | None] = mapped_column(ForeignKey("establishments.id"))
    granted_at: Mapped[datetime] = mapped_column(default=now)
    valid_until: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
