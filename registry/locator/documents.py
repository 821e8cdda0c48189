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
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from registry.database import new_id, now
from registry.errors import Conflict, Unprocessable
from registry.identity.models import Membership, SourceRecord
from registry.locator.models import DocumentReference, DocumentReplacement, DocumentSubmission
from registry.sealing import DataKey, Sealer

MOST = 2_000
"""Documents of one person that are looked at, the newest first."""

Description = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document as it was handed in: its holder's identifier, its description, and what it replaces, if anything."""

    identifier: str
    description: Description
    replaces: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """A set of documents of one patient, under the holder's identifier of the set; `content` is all that was sent."""

    establishment_id: UUID
    source_record_id: UUID
    client_id: str
    identifier: str
    description: Description
    documents: tuple[NewDocument, ...]
    content: bytes


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


@dataclass(frozen=True, slots=True)
class Submitted:
    """Where a submission is: its id, its documents' in the order sent, and whether it was new."""

    id: UUID
    document_ids: tuple[UUID, ...]
    received_at: datetime
    created: bool


def submit(session: Session, sealer: Sealer, submission: Submission) -> Submitted:
    """Index a set of documents; the same set again changes nothing.

    Raises Conflict for other content under a known identifier, Unprocessable for a replacement of what is not the
    establishment's document of the same patient, or was superseded already.
    """
    _wait_for_turn(session, submission.source_record_id)
    token = _token(sealer, "submission", submission.establishment_id, submission.identifier)
    content = sealer.blind("document-submission-content", submission.content.hex())
    known = _find_submission(session, submission.establishment_id, token)
    if known is not None:
        if known.content_token != content:
            raise Conflict("Another submission was made under this identifier.", code="submission-identifier-taken")
        ids = tuple(_known(session, sealer, submission.establishment_id, one) for one in submission.documents)
        return Submitted(known.id, ids, known.received_at, created=False)
    try:
        return _add(session, sealer, submission, token, content)
    except IntegrityError:
        raise Conflict("The same is being submitted at this moment; send it again.", code="submitted-twice") from None


def _add(session: Session, sealer: Sealer, submission: Submission, token: bytes, content: bytes) -> Submitted:
    moment = now()
    made = _add_submission(session, sealer, submission, token, content, moment)
    ids = tuple(_add_document(session, sealer, submission, one, made, moment) for one in submission.documents)
    return Submitted(made, ids, moment, created=True)


def _wait_for_turn(session: Session, source_record_id: UUID) -> None:
    """Submissions of one patient come one after the other: the later sees what the earlier said and replaced."""
    query = select(SourceRecord.id).where(SourceRecord.id == source_record_id)
    session.execute(query.with_for_update(key_share=True))


def _find_submission(session: Session, establishment_id: UUID, token: bytes) -> DocumentSubmission | None:
    query = select(DocumentSubmission).where(
        DocumentSubmission.establishment_id == establishment_id, DocumentSubmission.identifier_token == token
    )
    return session.scalar(query)


def _known(session: Session, sealer: Sealer, establishment_id: UUID, document: NewDocument) -> UUID:
    found = find_by_identifier(session, sealer, establishment_id, document.identifier)
    if found is None:
        raise Conflict("Another submission was made under this identifier.", code="submission-identifier-taken")
    return found


def _add_submission(
    session: Session, sealer: Sealer, submission: Submission, token: bytes, content: bytes, moment: datetime
) -> UUID:
    made = new_id()
    sealed = _seal(session, sealer, submission.source_record_id, submission.description, f"document-submission:{made}")
    session.add(
        DocumentSubmission(
            id=made,
            establishment_id=submission.establishment_id,
            source_record_id=submission.source_record_id,
            identifier_token=token,
            content_token=content,
            sealed=sealed,
            client_id=submission.client_id,
            received_at=moment,
        )
    )
    session.flush()
    return made


def _add_document(
    session: Session, sealer: Sealer, submission: Submission, new: NewDocument, submission_id: UUID, moment: datetime
) -> UUID:
    token = _token(sealer, "document", submission.establishment_id, new.identifier)
    if find_by_identifier(session, sealer, submission.establishment_id, new.identifier) is not None:
        raise Conflict("A document of this identifier is in the index already.", code="document-identifier-taken")
    made = new_id()
    sealed = _seal(session, sealer, submission.source_record_id, new.description, f"document:{made}")
    session.add(
        DocumentReference(
            id=made,
            submission_id=submission_id,
            source_record_id=submission.source_record_id,
            establishment_id=submission.establishment_id,
            identifier_token=token,
            sealed=sealed,
            received_at=moment,
        )
    )
    session.flush()
    for replaced in new.replaces:
        _supersede(session, submission, replaced, made, moment)
    return made


def _supersede(session: Session, submission: Submission, replaced: UUID, by: UUID, moment: datetime) -> None:
    old = session.get(DocumentReference, replaced)
    if (
        old is None
        or old.establishment_id != submission.establishment_id
        or not _same_patient(session, old, submission)
    ):
        raise Unprocessable("There is no such document of this patient to replace.", code="replaced-unknown")
    if session.scalar(select(DocumentReplacement.document_id).where(DocumentReplacement.document_id == replaced)):
        raise Conflict("This document was superseded already; replace the one that took its place.", code="superseded")
    session.add(DocumentReplacement(document_id=replaced, replaced_by=by, replaced_at=moment))
    session.flush()


def _same_patient(session: Session, old: DocumentReference, submission: Submission) -> bool:
    """Whether two records of the establishment are of one person today, or one record."""
    if old.source_record_id == submission.source_record_id:
        return True
    query = select(Membership.person_id).where(
        Membership.source_record_id.in_([old.source_record_id, submission.source_record_id])
    )
    return len(set(session.scalars(query))) == 1


def find_by_identifier(session: Session, sealer: Sealer, establishment_id: UUID, identifier: str) -> UUID | None:
    """The document an establishment knows under that identifier."""
    query = select(DocumentReference.id).where(
        DocumentReference.establishment_id == establishment_id,
        DocumentReference.identifier_token == _token(sealer, "document", establishment_id, identifier),
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


def _seal(session: Session, sealer: Sealer, owner_id: UUID, said: Description, context: str) -> bytes:
    plaintext = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    return sealer.seal(session, owner_id, plaintext, context)


def _token(sealer: Sealer, kind: str, establishment_id: UUID, identifier: str) -> bytes:
    return sealer.blind(f"{kind}:{establishment_id}", identifier)
