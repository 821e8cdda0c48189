"""The locator's own tables: links a person hides, and the index of documents. The links follow from identity."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, new_id, now


class HiddenLink(Base):
    """A person does not want it known that an establishment holds records of them; who asked and how is a directive."""

    __tablename__ = "hidden_links"

    person_id: Mapped[UUID] = mapped_column(primary_key=True)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), primary_key=True)
    hidden_at: Mapped[datetime] = mapped_column(default=now)


class DocumentSubmission(Base):
    """What one record system handed in at once (IHE MHD submission set); unique by its own identifier; never changed.

    Sealed under the patient's source record: what a set or a document is about is health data.
    """

    __tablename__ = "document_submissions"
    __table_args__ = (UniqueConstraint("establishment_id", "identifier_token"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"))
    source_record_id: Mapped[UUID] = mapped_column(ForeignKey("source_records.id"), index=True)
    identifier_token: Mapped[bytes]
    content_token: Mapped[bytes]
    """Blind token of everything sent: the same set again is known, another under its identifier is refused."""

    sealed: Mapped[bytes]
    client_id: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(default=now)


class DocumentReference(Base):
    """A clinical document that stays with its holder: what it is, its hash, and where; never changed, never deleted."""

    __tablename__ = "document_references"
    __table_args__ = (UniqueConstraint("establishment_id", "identifier_token"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    submission_id: Mapped[UUID] = mapped_column(ForeignKey("document_submissions.id"), index=True)
    source_record_id: Mapped[UUID] = mapped_column(ForeignKey("source_records.id"), index=True)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"))
    identifier_token: Mapped[bytes]
    sealed: Mapped[bytes]
    received_at: Mapped[datetime] = mapped_column(default=now)


class DocumentReplacement(Base):
    """A document was corrected by another one: from then on it is superseded, and still there."""

    __tablename__ = "document_replacements"

    document_id: Mapped[UUID] = mapped_column(ForeignKey("document_references.id"), primary_key=True)
    replaced_by: Mapped[UUID] = mapped_column(ForeignKey("document_references.id"), index=True)
    replaced_at: Mapped[datetime] = mapped_column(default=now)
