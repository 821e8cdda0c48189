"""A decision takes effect: records move, rulings stand, cases and contests end, and whoever is concerned is told."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.orm import Session

from registry.audit.service import record as audit
from registry.database import now
from registry.identity.cases import close_answered
from registry.identity.contests import settle_contests
from registry.identity.models import SETTLED, PossibleMatch, StewardDecision
from registry.identity.notices import MERGED, SPLIT, UNLINKED, tell
from registry.identity.persons import list_person_ids
from registry.identity.plans import UNKNOWN, Plan
from registry.identity.regrouping import Act
from registry.identity.rulings import DIFFERENT, SAME, rule
from registry.identity.stewards import Steward


def apply_plan(session: Session, steward: Steward, row: StewardDecision, plan: Plan) -> None:
    """Do what the plan says; the persons are held by the caller."""
    target = _move(session, steward, row, plan)
    if plan.verdict in {SAME, DIFFERENT}:
        rule(session, row.id, plan.verdict, plan.ours, plan.theirs)
    if not plan.moving:
        Act(session, row.id, row.reason).touch(plan.persons)
        _account(session, steward, row, plan.persons, f"identity:person:judged-{plan.verdict}")
    settle_contests(session, plan.moving or row.records, row.id, found_theirs=plan.verdict == SAME)
    if row.possible_match_id is not None:
        _close(session, row, plan.verdict)
    if plan.merges and target is not None:
        close_answered(session, target, SETTLED, row.id)


def _move(session: Session, steward: Steward, row: StewardDecision, plan: Plan) -> UUID | None:
    if not plan.moving:
        return None
    act = Act(session, row.id, row.reason)
    target = plan.target or act.new_person()
    act.move(plan.moving, plan.source, target)
    if plan.merges:
        act.replace(plan.source, target, max(plan.moving))
    elif plan.empties:
        act.set_status(plan.source, "empty")
    topic = MERGED if plan.merges else UNLINKED if plan.target else SPLIT
    tell(session, topic, str(row.id), persons=(plan.source, target), records=plan.moving)
    _account(session, steward, row, {plan.source, target, *plan.persons}, topic)
    return target


def _account(session: Session, steward: Steward, row: StewardDecision, persons: Collection[UUID], action: str) -> None:
    """One audit event for each person concerned, so that each finds it in their own log."""
    for person_id in sorted(persons):
        audit(session, steward.event(action, person_id, row.reason, decision=str(row.id)))


def _close(session: Session, row: StewardDecision, verdict: str) -> None:
    """The case after a verdict: settled, narrowed to the rivals that are left, or back on the worklist."""
    case = session.get_one(PossibleMatch, row.possible_match_id, populate_existing=True)
    case.revision += 1
    if verdict == UNKNOWN:
        case.assigned_to = case.assigned_at = None
        case.undecided += 1
    elif verdict == DIFFERENT and (left := _rivals_left(session, case, row.others)):
        case.rivals = left
    else:
        case.status, case.closed_at, case.closed_by = SETTLED, now(), row.id
    session.flush()


def _rivals_left(session: Session, case: PossibleMatch, judged: Collection[UUID]) -> list[UUID]:
    former = {one for person_id in judged for one in list_person_ids(session, person_id)}
    return [one for one in case.rivals if one not in former]
