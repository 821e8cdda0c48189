"""Tables of the desk; of every code only what a key of ours makes of it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

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


class SmsCode(Base):
    """A code sent to a patient's telephone; the code itself derives from the id and a key of ours, and is in no row."""

    __tablename__ = "sms_codes"
    __table_args__ = (
        Index("ix_sms_codes_person_id_created_at", "person_id", "created_at"),
        Index("ix_sms_codes_establishment_id_created_at", "establishment_id", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    access_request_id: Mapped[UUID] = mapped_column(ForeignKey("access_requests.id"), index=True)
    person_id: Mapped[UUID]
    establishment_id: Mapped[UUID]
    number_token: Mapped[bytes]
    """Which telephone, as a blind token: the number is looked up again when the message leaves."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None]


class AssistedConsent(Base):
    """What a professional put on record of a person's will, until a second one who was there confirms it."""

    __tablename__ = "assisted_consents"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    access_request_id: Mapped[UUID] = mapped_column(ForeignKey("access_requests.id"), index=True)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), index=True)
    recorded_by: Mapped[UUID] = mapped_column(ForeignKey("professionals.id"), index=True)
    evidence: Mapped[str]
    form_sha256: Mapped[str | None]
    """Of the signed form as it was scanned; the establishment keeps the form."""
    document_type: Mapped[str]
    document_token: Mapped[bytes | None]
    """Which document the person showed, as a blind token; None when the staff know them."""
    categories: Mapped[list[str]] = mapped_column(ARRAY(Text))
    ends_at: Mapped[datetime]
    data_from: Mapped[date | None]
    data_until: Mapped[date | None]
    """The days of the records that are permitted, both included."""
    recorded_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    status: Mapped[str]
    """`open`, `confirmed` or `declined`."""
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("professionals.id"))
    decided_at: Mapped[datetime | None]


class AttendancePolicy(Base):
    """What a person permits beforehand to whoever is attending them; append-only, the newest counts."""

    __tablename__ = "attendance_policies"
    __table_args__ = (Index("ix_attendance_policies_person_id_recorded_at", "person_id", "recorded_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID]
    categories: Mapped[list[str]] = mapped_column(ARRAY(Text))
    recorded_at: Mapped[datetime] = mapped_column(default=now)
    evidence: Mapped[dict[str, Any]] = mapped_column(JSONB)


class Attendance(Base):
    """A record system's statement that a person is being attended there now; hours, and the consent that came of it."""

    __tablename__ = "attendances"
    __table_args__ = (
        Index("ix_attendances_person_id_stated_at", "person_id", "stated_at"),
        Index("ix_attendances_professional_id_stated_at", "professional_id", "stated_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[str]
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"))
    professional_id: Mapped[UUID] = mapped_column(ForeignKey("professionals.id"))
    person_id: Mapped[UUID]
    encounter_token: Mapped[bytes]
    """Which encounter of the establishment, as a blind token: its own number may say something clinical."""
    identified_by: Mapped[str]
    consent_id: Mapped[UUID] = mapped_column(ForeignKey("consents.id"))
    stated_at: Mapped[datetime] = mapped_column(default=now)
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
