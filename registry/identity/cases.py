"""Possible matches as the engine and the checks open, renew and close them; what stewards do is in `worklist`."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, exists, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from matching.score import Score
from registry.database import new_id, now
from registry.identity.membership import Move, contributions_of
from registry.identity.models import (
    OPEN,
    SUPERSEDED,
    Contest,
    Membership,
    PossibleMatch,
    contests,
    possible_matches,
)
from registry.identity.persons import list_person_ids

CONTESTED = "contested"
"""The reason of a case that a citizen opened."""

ADD = insert(possible_matches)
CLOSE = update(possible_matches).where(
    possible_matches.c.source_record_id == bindparam("record_id"),
    possible_matches.c.status == OPEN,
    ~exists().where(contests.c.source_record_id == bindparam("record_id"), contests.c.status == OPEN),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whether a record is about any of the rivals, and why it is asked; without a score until a steward looks."""

    record_id: UUID
    version: int
    rivals: Collection[UUID]
    reason: str
    score: Score | None = None
    model_hash: str = ""

    def values(self) -> dict[str, Any]:
        """What is written of it; of a score field, level and weight, no value of any record."""
        return {
            "version": self.version,
            "rivals": sorted(self.rivals),
            "reason": self.reason,
            "weight": self.score.weight_bits if self.score else 0.0,
            "contributions": contributions_of(self.score) if self.score else [],
            "model_hash": self.model_hash,
        }


def keep_case(session: Session, move: Move) -> None:
    """After a placement: ask the stewards where it is in doubt, and withdraw the question where it no longer is.

    A case somebody works on stays the same case while the doubt lasts; one that a citizen opened is a steward's to end.
    """
    placement = move.placement
    if placement.decision == "review" and placement.resolution.score is not None:
        question = Question(
            record_id=move.record_id,
            version=move.version,
            rivals=placement.rivals,
            reason=placement.resolution.reason,
            score=placement.resolution.score,
            model_hash=move.model_hash or "",
        )
        ask(session, question, is_new=move.home is None)
    elif move.home is not None:
        session.execute(CLOSE, {"record_id": move.record_id, "status": SUPERSEDED, "closed_at": now()})


def ask(session: Session, question: Question, *, is_new: bool = False, both: bool = False) -> UUID:
    """Put a question before the stewards and return its case; a record has one open case.

    An open case takes the newer question over; with `both`, or while a citizen contests the record, it keeps its rivals
    too. What a citizen asks only adds to what the case is about.
    """
    case_id, values = new_id(), question.values()
    row = {"id": case_id, "source_record_id": question.record_id, "status": OPEN, "created_at": now()} | values
    if is_new:
        session.execute(ADD, row)
        return case_id
    statement = (
        upsert(PossibleMatch)
        .values(row)
        .on_conflict_do_nothing(index_elements=["source_record_id"], index_where=text("status = 'open'"))
    )
    made = session.scalar(statement.returning(PossibleMatch.id))
    return made or _renew(session, question, values, both=both)


def close_answered(session: Session, person_id: UUID, status: str, closed_by: UUID | None = None) -> None:
    """Close the cases that ask whether a record of this person is about this person, as after a merge.

    One that a citizen opened stays a steward's to end.
    """
    query = (
        select(PossibleMatch)
        .join(Membership, Membership.source_record_id == PossibleMatch.source_record_id)
        .where(
            Membership.person_id == person_id,
            PossibleMatch.status == OPEN,
            PossibleMatch.rivals.contained_by(list_person_ids(session, person_id)),
            PossibleMatch.rivals != [],
            ~exists().where(Contest.possible_match_id == PossibleMatch.id, Contest.status == OPEN),
        )
        .order_by(PossibleMatch.id)
        .with_for_update(of=PossibleMatch)
    )
    for case in session.scalars(query.execution_options(populate_existing=True)):
        case.status, case.closed_at, case.closed_by = status, now(), closed_by
        case.revision += 1
    session.flush()


def _renew(session: Session, question: Question, values: dict[str, Any], *, both: bool) -> UUID:
    query = select(PossibleMatch).where(
        PossibleMatch.source_record_id == question.record_id, PossibleMatch.status == OPEN
    )
    case = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()
    if both or _is_contested(session, question.record_id):
        values["rivals"] = sorted({*case.rivals, *values["rivals"]})
    if question.reason == CONTESTED:
        values = {"rivals": values["rivals"], "version": question.version}
    for name, value in values.items():
        setattr(case, name, value)
    case.revision += 1
    session.flush()
    return case.id


def _is_contested(session: Session, record_id: UUID) -> bool:
    query = select(exists().where(Contest.source_record_id == record_id, Contest.status == OPEN))
    return bool(session.scalar(query))
