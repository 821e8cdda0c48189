"""Indexing documents as their holders hand them in: in sets, each set once; a correction supersedes."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from registry.database import new_id, now
from registry.errors import Conflict, Unprocessable
from registry.identity.models import Membership, SourceRecord
from registry.locator.documents import Description, find_by_identifier, identifier_token
from registry.locator.models import DocumentReference, DocumentReplacement, DocumentSubmission
from registry.sealing import Sealer


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
    token = identifier_token(sealer, "submission", submission.establishment_id, submission.identifier)
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
    token = identifier_token(sealer, "document", submission.establishment_id, new.identifier)
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


def _seal(session: Session, sealer: Sealer, owner_id: UUID, said: Description, context: str) -> bytes:
    plaintext = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    return sealer.seal(session, owner_id, plaintext, context)
