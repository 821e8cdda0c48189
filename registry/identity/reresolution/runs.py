"""The life of a run: started, reported, approved by two stewards, applied while the index is still what was judged."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from registry.audit.event import Event
from registry.audit.service import record as audit
from registry.database import now
from registry.errors import Conflict, Forbidden, NotFound
from registry.identity.engine import Engine
from registry.identity.models import MembershipEvent
from registry.identity.reresolution.models import (
    APPLIED,
    APPLYING,
    APPROVED,
    CANCELLED,
    OPEN,
    PROPOSED,
    REPORTED,
    ReresolutionApproval,
    ReresolutionChange,
    ReresolutionRun,
    ReresolutionSlice,
)
from registry.identity.stewards import Steward, require_steward

APPROVALS = 2
MOST_AGE = timedelta(days=7)
MOST_DRIFT = 0.02
LEAST_DRIFT = 20
"""Membership events since the run began, as a share of the records judged, that make it a report of another index; in a
small index so many are nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: slices judged of all, and changes settled of all."""

    slices: int
    slices_done: int
    changes: int
    changes_settled: int


def find_run(session: Session) -> ReresolutionRun | None:
    """The open run, else the last one."""
    query = select(ReresolutionRun).order_by(ReresolutionRun.status.in_(OPEN).desc(), ReresolutionRun.id.desc())
    return session.scalar(query.limit(1).execution_options(populate_existing=True))


def get_run(session: Session, run_id: UUID, *, hold: bool = False) -> ReresolutionRun:
    """A run; raises NotFound."""
    run = session.get(ReresolutionRun, run_id, with_for_update=hold or None, populate_existing=True)
    if run is None:
        raise NotFound("There is no such re-resolution.", code="unknown-reresolution")
    return run


def progress(session: Session, run_id: UUID) -> Progress:
    """How far a run is."""
    part, change = ReresolutionSlice, ReresolutionChange
    slices, done = session.execute(select(func.count(), func.count(part.done_at)).where(part.run_id == run_id)).one()
    changes, settled = session.execute(
        select(func.count(), func.count(change.settled_at)).where(change.run_id == run_id)
    ).one()
    return Progress(slices=slices, slices_done=done, changes=changes, changes_settled=settled)


def get_change(session: Session, change_id: UUID) -> ReresolutionChange:
    """Something a run would change; raises NotFound."""
    found = session.get(ReresolutionChange, change_id)
    if found is None:
        raise NotFound("There is no such change.", code="unknown-change")
    return found


def list_sample(session: Session, run: ReresolutionRun) -> list[ReresolutionChange]:
    """The changes that the run's report picked to be looked at, in its order."""
    picked = [UUID(one) for one in run.report["sample"]] if run.report else []
    found = {
        one.id: one for one in session.scalars(select(ReresolutionChange).where(ReresolutionChange.id.in_(picked)))
    }
    return [found[key] for key in picked]


def list_approvals(session: Session, run_id: UUID) -> list[ReresolutionApproval]:
    """Who approved a run's report, the first one first."""
    query = select(ReresolutionApproval).where(ReresolutionApproval.run_id == run_id)
    return list(session.scalars(query.order_by(ReresolutionApproval.approved_at)))


def approve(session: Session, steward: Steward, run_id: UUID) -> ReresolutionRun:
    """A steward stands for the report; with the second one's approval the run may be applied.

    Raises NotFound, Forbidden for who is no steward or approved already, Conflict when the run does not wait for
    approval, or its report is too old (`refuse_outdated`).
    """
    require_steward(session, steward)
    run = get_run(session, run_id, hold=True)
    if run.status != REPORTED:
        raise Conflict("This report does not wait for approval.", code="reresolution-not-reported")
    refuse_outdated(session, run)
    approval = insert(ReresolutionApproval).values(run_id=run_id, steward=steward.handle, approved_at=now())
    if session.scalar(approval.on_conflict_do_nothing().returning(ReresolutionApproval.run_id)) is None:
        refusal = steward.refusal("same-steward")
        raise Forbidden("Another steward must approve this too.", code="second-steward-needed", audit=refusal)
    if len(list_approvals(session, run_id)) >= APPROVALS:
        run.status = APPROVED
    audit(session, steward.event("identity:reresolution:approved", None, run=str(run_id), model=run.model_hash))
    return run


def begin(session: Session, engine: Engine, run_id: UUID) -> ReresolutionRun:
    """Let an approved run be applied, or one that was interrupted go on.

    Raises Conflict unless two stewards approved it, its model is the one new records are judged by, and the index is
    still nearly what was judged.
    """
    run = get_run(session, run_id, hold=True)
    if run.status not in {APPROVED, APPLYING}:
        raise Conflict(
            "This re-resolution may not be applied.", code="reresolution-not-approved", hint=_what_lacks(run.status)
        )
    if run.model_hash != engine.model.hash:
        raise Conflict(
            "The model of this re-resolution is not the one in force.",
            code="model-not-in-force",
            hint="Set RENHICE_MATCH_MODEL to its file and restart, so that new records are judged by it too.",
        )
    if run.status == APPROVED:
        refuse_outdated(session, run)
        run.status = APPLYING
        audit(session, _event("identity:reresolution:begun", run))
    return run


def finish(session: Session, run_id: UUID) -> bool:
    """End a run whose changes are all settled; False while some are not."""
    run = get_run(session, run_id, hold=True)
    left = select(ReresolutionChange.id).where(
        ReresolutionChange.run_id == run_id, ReresolutionChange.status == PROPOSED
    )
    if run.status != APPLYING or session.scalar(left.limit(1)) is not None:
        return False
    run.status, run.ended_at = APPLIED, now()
    audit(session, _event("identity:reresolution:ended", run))
    return True


def cancel(session: Session, run_id: UUID, by: str) -> ReresolutionRun:
    """Give a run up; what was applied stays. Raises NotFound, Conflict for one that has ended."""
    run = get_run(session, run_id, hold=True)
    if run.status not in OPEN:
        raise Conflict("This re-resolution has ended.", code="reresolution-ended")
    run.status, run.ended_at, run.ended_by = CANCELLED, now(), by
    audit(session, _event("identity:reresolution:cancelled", run, by=by))
    return run


def drift(session: Session, run: ReresolutionRun) -> int:
    """Membership events since the run began."""
    later = select(func.count()).select_from(MembershipEvent).where(MembershipEvent.position > run.position)
    return session.scalar(later) or 0


def refuse_outdated(session: Session, run: ReresolutionRun) -> None:
    """Raise Conflict where the report speaks of an index that is no more."""
    hint = "Cancel it and run the model again."
    if run.report is None or run.reported_at is None or now() - run.reported_at > MOST_AGE:
        raise Conflict(f"The report is older than {MOST_AGE.days} days.", code="reresolution-too-old", hint=hint)
    moved = drift(session, run)
    if moved > max(LEAST_DRIFT, MOST_DRIFT * run.report["records"]):
        raise Conflict(f"{moved} memberships changed since the run began.", code="reresolution-index-moved", hint=hint)


def _what_lacks(status: str) -> str:
    if status == REPORTED:
        return "Two stewards approve its report first, in the portal."
    return "Its report is not there yet." if status in OPEN else "It has ended; run the model again."


def _event(action: str, run: ReresolutionRun, **detail: str) -> Event:
    return Event(action=action, actor_role="engine", detail={"run": str(run.id), "model": run.model_hash, **detail})
