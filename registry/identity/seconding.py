"""The second pair of eyes: another steward confirms or refuses a decision about many records."""

from uuid import UUID

from sqlalchemy.orm import Session

from registry.audit.service import record as audit
from registry.errors import Conflict, Forbidden
from registry.identity.decisions import (
    CONFIRMED,
    REFUSED,
    UNDO,
    Decision,
    answer,
    get_decision,
    get_row,
    hold,
    require_basis,
)
from registry.identity.engine import Engine
from registry.identity.models import OPEN, PossibleMatch, StewardDecision
from registry.identity.outcomes import apply_plan
from registry.identity.plans import Subject, make_plan
from registry.identity.stewards import Steward, require_steward, require_stranger
from registry.identity.undoing import apply_undo, prepare_undo


def confirm(session: Session, engine: Engine, steward: Steward, decision_id: UUID) -> Decision:
    """A second steward agrees, and the decision takes effect on what stands now.

    Raises NotFound, Forbidden for the steward who decided, Conflict when it was answered or its data have changed, and
    what `decide` and `undo` raise.
    """
    require_steward(session, steward)
    row = get_row(session, decision_id)
    if row.steward == steward.handle:
        raise Forbidden(
            "Another steward must confirm this.", code="second-steward-needed", audit=steward.refusal("same-steward")
        )
    if row.verdict == UNDO:
        undone, undoing, held = prepare_undo(session, engine, steward, get_row(session, row.undoes or decision_id))
        require_basis(session, row, held)
        answer(session, row, steward, CONFIRMED)
        apply_undo(session, steward, row, undone, undoing)
    else:
        _confirm(session, engine, steward, row)
    return get_decision(session, decision_id)


def _confirm(session: Session, engine: Engine, steward: Steward, row: StewardDecision) -> None:
    held = hold(session, engine.sealer, {row.person_id, *row.others})
    _require_open(session, row)
    require_basis(session, row, held)
    require_stranger(engine.sealer, steward, held.loaded.values())
    answer(session, row, steward, CONFIRMED)
    subject = Subject(
        person_id=row.person_id,
        records=frozenset(row.records),
        others=row.others,
        whole=row.whole,
        survivor=row.survivor,
    )
    apply_plan(session, steward, row, make_plan(row.verdict, subject, held.groups, held.loaded))


def _require_open(session: Session, row: StewardDecision) -> None:
    """Raise Conflict when the case was closed meanwhile, as when the citizen who contested took that back."""
    if row.possible_match_id is None:
        return
    case = session.get_one(PossibleMatch, row.possible_match_id, with_for_update=True, populate_existing=True)
    if case.status != OPEN:
        raise Conflict("This possible match is closed.", code="case-closed", hint="Refuse the decision.")


def refuse(session: Session, steward: Steward, decision_id: UUID) -> Decision:
    """A second steward disagrees, or the first withdraws: nothing happens, and the case waits for another decision.

    Raises NotFound, Forbidden, Conflict when it was answered.
    """
    require_steward(session, steward)
    row = get_row(session, decision_id)
    answer(session, row, steward, REFUSED)
    audit(session, steward.event("identity:decision:refused", row.person_id, row.reason, decision=str(row.id)))
    return get_decision(session, decision_id)
