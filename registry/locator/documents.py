"""The document index: what documents there are of whom, and where; the documents stay with their holders.

What a document is about is health data, so its description is sealed under the patient's source record and searched
after it was opened: a search always names the patient. A correction supersedes; nothing is changed or deleted.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, or_, select
from sqlalchemy.orm import Session

from registry.identity.models import SourceRecord
from registry.locator.models import DocumentReference, DocumentReplacement, DocumentSubmission
from registry.sealing import DataKey, Sealer

MOST = 2_000
"""Documents of one person that are looked at, the newest first."""

Description = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Document:
    """A document of the index, opened. `replaced_by` is the one that superseded it."""

    id: UUID
    submission_id: UUID
    source_record_id: UUID
    establishment_id: UUID
    received_at: datetime
    description: Description
    replaced_by: UUID | None

    @property
    def current(self) -> bool:
        """Whether nothing superseded it."""
        return self.replaced_by is None


@dataclass(frozen=True, slots=True)
class SubmissionSet:
    """A submission set, opened, with the ids of its documents."""

    id: UUID
    source_record_id: UUID
    establishment_id: UUID
    received_at: datetime
    description: Description
    document_ids: tuple[UUID, ...]


def find_by_identifier(session: Session, sealer: Sealer, establishment_id: UUID, identifier: str) -> UUID | None:
    """The document an establishment knows under that identifier."""
    query = select(DocumentReference.id).where(
        DocumentReference.establishment_id == establishment_id,
        DocumentReference.identifier_token == identifier_token(sealer, "document", establishment_id, identifier),
    )
    return session.scalar(query)


def list_documents(session: Session, sealer: Sealer, source_record_ids: Collection[UUID]) -> list[Document]:
    """The documents of these source records and of the duplicates they replaced, the newest first."""
    query = (
        _documents()
        .join(SourceRecord, SourceRecord.id == DocumentReference.source_record_id)
        .where(or_(SourceRecord.id.in_(source_record_ids), SourceRecord.replaced_by.in_(source_record_ids)))
        .order_by(DocumentReference.received_at.desc(), DocumentReference.id.desc())
        .limit(MOST)
    )
    return [_open(sealer, *row) for row in session.execute(query)]


def replaced_by(session: Session, document_ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """The documents that each of these superseded; no entry for one that superseded none."""
    query = select(DocumentReplacement).where(DocumentReplacement.replaced_by.in_(document_ids))
    found: dict[UUID, list[UUID]] = {}
    for row in session.scalars(query.order_by(DocumentReplacement.document_id)):
        found.setdefault(row.replaced_by, []).append(row.document_id)
    return found


def find_document(session: Session, sealer: Sealer, document_id: UUID) -> Document | None:
    """One document; None for an unknown one, or when its patient's data key was destroyed."""
    row = session.execute(_documents().where(DocumentReference.id == document_id)).one_or_none()
    return _open(sealer, *row) if row else None


def list_submissions(session: Session, sealer: Sealer, source_record_ids: Collection[UUID]) -> list[SubmissionSet]:
    """The submission sets of these source records and of the duplicates they replaced, the newest first."""
    query = (
        _submissions()
        .join(SourceRecord, SourceRecord.id == DocumentSubmission.source_record_id)
        .where(or_(SourceRecord.id.in_(source_record_ids), SourceRecord.replaced_by.in_(source_record_ids)))
        .order_by(DocumentSubmission.received_at.desc(), DocumentSubmission.id.desc())
        .limit(MOST)
    )
    return _open_sets(session, sealer, session.execute(query).all())


def find_submission(session: Session, sealer: Sealer, submission_id: UUID) -> SubmissionSet | None:
    """One submission set; None for an unknown one, or when its patient's data key was destroyed."""
    rows = session.execute(_submissions().where(DocumentSubmission.id == submission_id)).all()
    return next(iter(_open_sets(session, sealer, rows)), None)


def _documents() -> Select[DocumentReference, DataKey, UUID | None]:
    return (
        select(DocumentReference, DataKey, DocumentReplacement.replaced_by)
        .join(DataKey, DataKey.owner_id == DocumentReference.source_record_id)
        .outerjoin(DocumentReplacement, DocumentReplacement.document_id == DocumentReference.id)
    )


def _submissions() -> Select[DocumentSubmission, DataKey]:
    return select(DocumentSubmission, DataKey).join(DataKey, DataKey.owner_id == DocumentSubmission.source_record_id)


def _open(sealer: Sealer, row: DocumentReference, key: DataKey, replaced_by: UUID | None) -> Document:
    said: Description = json.loads(sealer.unseal(key, row.sealed, f"document:{row.id}"))
    return Document(
        row.id, row.submission_id, row.source_record_id, row.establishment_id, row.received_at, said, replaced_by
    )


def _open_sets(
    session: Session, sealer: Sealer, rows: Sequence[Row[DocumentSubmission, DataKey]]
) -> list[SubmissionSet]:
    query = select(DocumentReference.submission_id, DocumentReference.id).order_by(DocumentReference.id)
    documents: dict[UUID, list[UUID]] = {row.id: [] for row, _ in rows}
    for submission_id, document_id in session.execute(query.where(DocumentReference.submission_id.in_(documents))):
        documents[submission_id].append(document_id)
    return [
        SubmissionSet(
            row.id,
            row.source_record_id,
            row.establishment_id,
            row.received_at,
            json.loads(sealer.unseal(key, row.sealed, f"document-submission:{row.id}")),
            tuple(documents[row.id]),
        )
        for row, key in rows
    ]


def identifier_token(sealer: Sealer, kind: str, establishment_id: UUID, identifier: str) -> bytes:
    """What an establishment's own identifier of a `document` or `submission` is looked up by."""
    return sealer.blind(f"{kind}:{establishment_id}", identifier)
