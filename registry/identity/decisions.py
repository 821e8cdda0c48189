"""Stewards' decisions as they are kept and read: what was decided, why, by whom, and how it stands."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, exists, select, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from registry.database import new_id, now
from registry.errors import Conflict, InvalidInput, NotFound
from registry.identity.candidates import LoadedPerson, load_persons, lock_persons
from registry.identity.models import DecisionAnswer, Person, SourceRecord, StewardDecision
from registry.identity.regrouping import list_members
from registry.identity.stewards import Steward
from registry.sealing import Sealer

REASONS = frozenset({
    "documents", "names", "birth-date", "relatives", "twins", "typing-error", "state-registry", "citizen-said",
    "establishment-said", "other",
})  # fmt: skip
"""Why a steward decides; `other` needs a note."""

UNDO = "undo"
PENDING, APPLIED, REFUSED, UNDONE = "pending", "applied", "refused", "undone"
CONFIRMED = "confirmed"
MAX_NOTE = 1000
NOTE_CONTEXT = "steward-note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Why: a code of `REASONS`, and a note for colleagues, which is kept sealed."""

    reason: str
    note: str | None = None

    def check(self) -> None:
        """Raise InvalidInput for an unknown reason, or one that says nothing."""
        if self.reason not in REASONS:
            raise InvalidInput(f"The reason is one of {', '.join(sorted(REASONS))}.", code="reason-unknown")
        if self.reason == "other" and not (self.note or "").strip():
            raise InvalidInput("The reason other needs a note.", code="note-missing")
        if len(self.note or "") > MAX_NOTE:
            raise InvalidInput(f"A note has at most {MAX_NOTE} characters.", code="note-too-long")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A decision and how it stands: `pending` (for a second steward), `applied`, `refused` or `undone`."""

    id: UUID
    state: str
    verdict: str
    possible_match_id: UUID | None
    undoes: UUID | None
    person_id: UUID
    others: Sequence[UUID]
    records: Sequence[UUID]
    whole: bool
    reason: str
    steward: str
    decided_at: datetime
    second_steward: str | None = None
    answered_at: datetime | None = None
    undone_by: UUID | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Persons held against change until the transaction ends: the records of each, and those that can be opened."""

    groups: Mapping[UUID, frozenset[UUID]]
    loaded: Mapping[UUID, LoadedPerson]

    @property
    def members(self) -> int:
        """How many records they have together."""
        return sum(map(len, self.groups.values()))


def hold(session: Session, sealer: Sealer, person_ids: Collection[UUID], *, active: bool = True) -> Held:
    """Hold persons, in the order everybody holds them; raises NotFound for an unknown one.

    Raises Conflict for one that is not active any more, unless that is wanted.
    """
    lock_persons(session, person_ids)
    rows = session.execute(select(Person.id, Person.status).where(Person.id.in_(person_ids))).all()
    if len(rows) != len(set(person_ids)):
        raise NotFound("The registry knows no such person.", code="unknown-person")
    if active and any(row.status != "active" for row in rows):
        raise Conflict("A person was replaced meanwhile.", code="person-replaced", hint="Read it again.")
    return Held(list_members(session, person_ids), load_persons(session, sealer, person_ids))


def add_decision(
    session: Session, sealer: Sealer, steward: Steward, grounds: Grounds, held: Held, **values: Any
) -> StewardDecision:
    """Write a decision down, with the version of every record that was looked at."""
    decision_id = new_id()
    note = (grounds.note or "").strip()
    row = StewardDecision(
        id=decision_id,
        basis=_basis(session, held),
        reason=grounds.reason,
        sealed_note=sealer.seal(session, decision_id, note.encode(), NOTE_CONTEXT) if note else None,
        steward=steward.handle,
        client_id=steward.client_id,
        **values,
    )
    session.add(row)
    session.flush()
    return row


def _basis(session: Session, held: Held) -> dict[str, dict[str, int]]:
    records = [record for group in held.groups.values() for record in group]
    rows = session.execute(select(SourceRecord.id, SourceRecord.version).where(SourceRecord.id.in_(records)))
    versions = {row.id: row.version for row in rows}
    return {str(key): {str(record): versions[record] for record in sorted(group)} for key, group in held.groups.items()}


def require_basis(session: Session, row: StewardDecision, held: Held) -> None:
    """Raise Conflict when a record that was looked at has another version now, or is with another person."""
    current = _basis(session, held)
    stands = all(
        current.get(key, {}).get(record) == version
        for key, group in row.basis.items()
        for record, version in group.items()
    )
    if not stands:
        raise Conflict(
            "The data have changed since this was decided.", code="data-changed", hint="Refuse it and decide again."
        )


def answer(session: Session, row: StewardDecision, steward: Steward, said: str) -> None:
    """Write down what became of a decision that waited; raises Conflict when it does not wait (any more)."""
    values = {
        "decision_id": row.id,
        "answer": said,
        "steward": steward.handle,
        "client_id": steward.client_id,
        "answered_at": now(),
    }
    statement = insert(DecisionAnswer).values(values).on_conflict_do_nothing().returning(DecisionAnswer.decision_id)
    if not row.needs_second or session.scalar(statement) is None:
        raise Conflict("This decision does not wait for an answer.", code="decision-answered")


def get_row(session: Session, decision_id: UUID) -> StewardDecision:
    """A decision as it was written; raises NotFound."""
    row = session.get(StewardDecision, decision_id)
    if row is None:
        raise NotFound("There is no such decision.", code="unknown-decision")
    return row


def get_decision(session: Session, decision_id: UUID) -> Decision:
    """A decision as it stands; raises NotFound."""
    return _stand(session, [get_row(session, decision_id)])[0]


def list_decisions(session: Session, *, case_id: UUID | None = None, person_ids: Sequence[UUID] = ()) -> list[Decision]:
    """The decisions on a case, or those about any of the persons, newest first; 200 at most."""
    about = StewardDecision.person_id.in_(person_ids) | StewardDecision.others.overlap(list(person_ids))
    wanted = about if case_id is None else StewardDecision.possible_match_id == case_id
    newest = (StewardDecision.decided_at.desc(), StewardDecision.id.desc())
    return _stand(session, session.scalars(select(StewardDecision).where(wanted).order_by(*newest).limit(200)).all())


def taken_back() -> CompoundSelect[UUID]:
    """The decisions that were taken back, and those that did it: together they changed nothing."""
    confirmed = exists().where(DecisionAnswer.decision_id == StewardDecision.id, DecisionAnswer.answer == CONFIRMED)
    undoing = (StewardDecision.verdict == UNDO, ~StewardDecision.needs_second | confirmed)
    return union_all(
        select(StewardDecision.undoes).where(*undoing, StewardDecision.undoes.is_not(None)),
        select(StewardDecision.id).where(*undoing),
    )


def read_note(session: Session, sealer: Sealer, decision_id: UUID) -> str | None:
    """The note of a decision; None without one. Raises NotFound, SealError when its key was destroyed."""
    row = get_row(session, decision_id)
    if row.sealed_note is None:
        return None
    return sealer.open(session, row.id, row.sealed_note, NOTE_CONTEXT).decode()


def _stand(session: Session, rows: Sequence[StewardDecision]) -> list[Decision]:
    ids = [row.id for row in rows]
    undoing = session.scalars(select(StewardDecision).where(StewardDecision.undoes.in_(ids))).all()
    wanted = {*ids, *(one.id for one in undoing)}
    answers = {
        one.decision_id: one
        for one in session.scalars(select(DecisionAnswer).where(DecisionAnswer.decision_id.in_(wanted)))
    }
    undone = {one.undoes: one.id for one in undoing if _state(one, answers.get(one.id)) == APPLIED}
    return [_decision(row, answers.get(row.id), undone.get(row.id)) for row in rows]


def _state(row: StewardDecision, said: DecisionAnswer | None) -> str:
    if not row.needs_second:
        return APPLIED
    if said is None:
        return PENDING
    return APPLIED if said.answer == CONFIRMED else REFUSED


def _decision(row: StewardDecision, said: DecisionAnswer | None, undone_by: UUID | None) -> Decision:
    return Decision(
        id=row.id,
        state=UNDONE if undone_by else _state(row, said),
        verdict=row.verdict,
        possible_match_id=row.possible_match_id,
        undoes=row.undoes,
        person_id=row.person_id,
        others=row.others,
        records=row.records,
        whole=row.whole,
        reason=row.reason,
        steward=row.steward,
        decided_at=row.decided_at,
        second_steward=said.steward if said else None,
        answered_at=said.answered_at if said else None,
        undone_by=undone_by,
    )
