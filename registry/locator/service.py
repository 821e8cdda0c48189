"""Locating the holders of a person's records."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, and_, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from registry.identity.models import (
    NAMES_DIFFER,
    OPEN,
    Contest,
    Membership,
    PossibleMatch,
    Ruling,
    SourceRecord,
    Verification,
)
from registry.identity.placement import DOCUMENT_CONFLICT
from registry.identity.rulings import SAME
from registry.locator.hiding import hidden_links
from registry.questions import Question

REFUTED = exists().where(
    Verification.source_record_id == SourceRecord.id,
    Verification.version == SourceRecord.version,
    Verification.status == NAMES_DIFFER,
)
FOUND_TO_BELONG = exists().where(
    Ruling.verdict == SAME,
    Ruling.ended_at.is_(None),
    or_(
        and_(Ruling.record_id == SourceRecord.id, Ruling.record_check == NAMES_DIFFER),
        and_(Ruling.other_record_id == SourceRecord.id, Ruling.other_record_check == NAMES_DIFFER),
    ),
)
"""A steward who knew that the DNI was refuted found the record to be this person's all the same."""

CONTESTED = exists().where(Contest.source_record_id == SourceRecord.id, Contest.status == OPEN)
IN_CONFLICT = ~SourceRecord.verified & exists().where(
    PossibleMatch.source_record_id == SourceRecord.id,
    PossibleMatch.status == OPEN,
    PossibleMatch.reason == DOCUMENT_CONFLICT,
)

DOUBTFUL = and_(REFUTED, ~FOUND_TO_BELONG) | IN_CONFLICT | CONTESTED
HOLDERS = (
    select(SourceRecord.establishment_id, SourceRecord.id, SourceRecord.received_at, DOUBTFUL)
    .join(Membership, Membership.source_record_id == SourceRecord.id)
    .where(Membership.person_id == bindparam("person_id"), SourceRecord.active)
    .order_by(SourceRecord.establishment_id, SourceRecord.id)
)
"""`locate` as a statement, for who joins more to it."""

_HOLDERS = Question(HOLDERS)


def holder_of(source_record_id: ColumnElement[UUID], person_id: ColumnElement[UUID]) -> ScalarSelect[UUID]:
    """Of a statement about a person's record: the establishment that holds it, as `locate` would find it uncontested.

    A record unlinked, split off, merged away, removed or contested since has none.
    """
    return (
        select(SourceRecord.establishment_id)
        .join(Membership, Membership.source_record_id == SourceRecord.id)
        .where(SourceRecord.id == source_record_id, Membership.person_id == person_id)
        .where(SourceRecord.active, ~DOUBTFUL)
        .scalar_subquery()
    )


@dataclass(frozen=True, slots=True)
class Holder:
    """An establishment that holds a record of the person, under the id both sides share for the patient.

    `contested` when the record may be somebody else's: RENIEC knows its DNI under other names, a steward has a case
    about its document and RENIEC has not confirmed it, or the citizen says that it is not about them. Nothing is to be
    read under a contested record.
    """

    establishment_id: UUID
    source_record_id: UUID
    last_received: datetime
    contested: bool = False


def locate(session: Session, person_id: UUID) -> list[Holder]:
    """The active source records of a current person, by establishment; empty for an unknown person."""
    return [Holder(*row) for row in _HOLDERS.ask(session, person_id=person_id)]


def locate_for(session: Session, person_id: UUID, establishment_id: UUID) -> list[Holder]:
    """`locate`, as far as one establishment may know: without the links the person hides, its own apart."""
    hidden = hidden_links(session, person_id) - {establishment_id}
    return [one for one in locate(session, person_id) if one.establishment_id not in hidden]
