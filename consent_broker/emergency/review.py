"""Review: every declared case is judged by a privacy officer, in time; misuse suspends, and figures are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ScalarSelect, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from consent_broker.emergency.cases import event_of, list_open
from consent_broker.emergency.models import EmergencyAccess, EmergencyReview, EmergencySuspension
from consent_broker.emergency.service import TEXT_CONTEXT, end_emergency, take_turns_of
from consent_broker.emergency.vocabulary import PERIOD, Outcome
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import new_id, now
from registry.directory.staff import staff_member_holds
from registry.errors import Forbidden, NotFound, Unprocessable
from registry.sealing import Sealer

ROLE = "privacy-officer"
NOTE_CONTEXT = "emergency-review"
NOTE_LENGTHS = (10, 2000)
REPEATED = 3
"""Emergencies of one person in a day from which on they go first: each professional may have kept to their number."""


@dataclass(frozen=True, slots=True)
class Officer:
    """The privacy officer who judges: `handle` is the blind token of their document, in hex."""

    handle: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """The cases of one establishment in a period."""

    establishment_id: UUID
    declared: int
    disputed: int
    justified: int
    misuse: int
    overdue: int


def list_queue(session: Session) -> Sequence[EmergencyAccess]:
    """Cases nobody has judged: those the person disputes, then the person's REPEATED of a day, then as they are due."""
    query = select(EmergencyAccess).where(
        EmergencyAccess.declared_at.is_not(None), EmergencyAccess.reviewed_at.is_(None)
    )
    first = (EmergencyAccess.disputed_at.is_(None), _of_that_day() < REPEATED)
    return session.scalars(query.order_by(*first, EmergencyAccess.review_due_at, EmergencyAccess.id)).all()


def count_of_that_day(session: Session, case: EmergencyAccess) -> int:
    """How many emergencies of the same person, by whomever, were declared in the day up to this one, with it."""
    return session.scalar(select(_of_that_day()).where(EmergencyAccess.id == case.id)) or 0


def _of_that_day() -> ScalarSelect[int]:
    other = aliased(EmergencyAccess)
    until = EmergencyAccess.declared_at
    same = select(func.count()).where(other.person_id == EmergencyAccess.person_id)
    return same.where(other.declared_at.between(until - PERIOD, until)).correlate(EmergencyAccess).scalar_subquery()


def judge(
    session: Session, sealer: Sealer, case: EmergencyAccess, officer: Officer, outcome: Outcome, note: str
) -> EmergencyReview:
    """Judge a case, or judge it anew; misuse suspends the professional and ends whatever they have open.

    Raises Forbidden (audited) unless the officer holds the role now, Unprocessable without a note, NotFound for a case
    that was never declared.
    """
    if not staff_member_holds(session, bytes.fromhex(officer.handle), ROLE, now()):
        refusal = Event(action="emergency:access:reviewed", outcome="refused", reason="not-a-privacy-officer")
        raise Forbidden("Only a privacy officer may do this.", code="not-a-privacy-officer", audit=refusal)
    if case.declared_at is None:
        raise NotFound("There is no such emergency access.", code="unknown-emergency")
    least, most = NOTE_LENGTHS
    if not least <= len(note.strip()) <= most:
        raise Unprocessable(f"Say in {least} to {most} characters why.", code="words-needed")
    review = EmergencyReview(
        id=new_id(),
        emergency_id=case.id,
        reviewer=officer.handle,
        outcome=outcome.value,
        sealed_note=sealer.seal(session, case.id, note.strip().encode(), NOTE_CONTEXT),
    )
    session.add(review)
    case.reviewed_at, case.outcome = now(), outcome.value
    session.flush()
    event = event_of(case, "emergency:access:reviewed", outcome=outcome.value, reviewer=officer.handle)
    record(session, replace(event, actor_role=ROLE))
    if outcome is Outcome.MISUSE:
        _suspend(session, case)
    return review


def _suspend(session: Session, case: EmergencyAccess) -> None:
    """From this commit on the professional has no emergency open and can declare none, not even one begun before."""
    take_turns_of(session, case.professional_id)
    for one in list_open(session, case.professional_id):
        end_emergency(session, one, "misuse")
    values = {"id": new_id(), "professional_id": case.professional_id, "emergency_id": case.id, "since": now()}
    if session.scalar(
        insert(EmergencySuspension).values(values).on_conflict_do_nothing().returning(EmergencySuspension.id)
    ):
        record(session, event_of(case, "emergency:professional:suspended"))


def lift_suspension(session: Session, professional_id: UUID, officer: Officer, because: str) -> None:
    """Let a professional declare emergencies again; raises NotFound when they are not suspended."""
    lift = (
        update(EmergencySuspension)
        .where(EmergencySuspension.professional_id == professional_id, EmergencySuspension.lifted_at.is_(None))
        .values(lifted_at=now(), lifted_because=because)
        .returning(EmergencySuspension.id)
    )
    if session.scalar(lift) is None:
        raise NotFound("The professional is not suspended.", code="not-suspended")
    detail = {"reviewer": officer.handle, "because": because}
    record(session, Event(action="emergency:professional:reinstated", professional_id=professional_id, detail=detail))


def list_suspended(session: Session) -> Sequence[EmergencySuspension]:
    """Suspensions in force, the oldest first."""
    query = select(EmergencySuspension).where(EmergencySuspension.lifted_at.is_(None))
    return session.scalars(query.order_by(EmergencySuspension.since)).all()


def read_text(session: Session, sealer: Sealer, case: EmergencyAccess, officer: Officer) -> str:
    """What the professional wrote; the reading is audited."""
    event = event_of(case, "emergency:access:text-read", reviewer=officer.handle)
    record(session, replace(event, actor_role=ROLE))
    return sealer.open(session, case.id, case.sealed_text or b"", TEXT_CONTEXT).decode()


def statistics(session: Session, since: datetime) -> list[Statistics]:
    """Cases declared since then, by establishment, those with most first."""
    late = func.coalesce(EmergencyAccess.reviewed_at, now()) > EmergencyAccess.review_due_at
    columns = (
        func.count(),
        func.count(EmergencyAccess.disputed_at),
        func.count().filter(EmergencyAccess.outcome == Outcome.JUSTIFIED.value),
        func.count().filter(EmergencyAccess.outcome == Outcome.MISUSE.value),
        func.count().filter(late),
    )
    query = (
        select(EmergencyAccess.establishment_id, *columns)
        .where(EmergencyAccess.declared_at >= since)
        .group_by(EmergencyAccess.establishment_id)
        .order_by(func.count().desc(), EmergencyAccess.establishment_id)
    )
    return [Statistics(*row) for row in session.execute(query)]
