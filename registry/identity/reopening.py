"""What a decision closed, opened again when it is taken back: cases, and the claims of citizens."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased

from registry.identity.models import OPEN, Contest, PossibleMatch, StewardDecision
from registry.identity.plans import UNKNOWN
from registry.identity.rulings import DIFFERENT


def reopen(session: Session, undone: StewardDecision) -> None:
    """Put the cases and claims that a decision ended where they were before it; a record has one open one still."""
    closed = select(PossibleMatch).where(PossibleMatch.closed_by == undone.id).order_by(PossibleMatch.id)
    for case in session.scalars(closed.with_for_update().execution_options(populate_existing=True)):
        if not _asked_again(session, case):
            case.status, case.closed_at, case.closed_by = OPEN, None, None
            case.revision += 1
    _restore(session, undone)
    session.flush()
    again = aliased(Contest)
    claimed_again = select(again.id).where(again.source_record_id == Contest.source_record_id, again.status == OPEN)
    claims = update(Contest).where(Contest.decision_id == undone.id, ~claimed_again.exists())
    session.execute(claims.values(status=OPEN, closed_at=None, decision_id=None))


def _asked_again(session: Session, case: PossibleMatch) -> bool:
    query = select(PossibleMatch.id).where(
        PossibleMatch.source_record_id == case.source_record_id, PossibleMatch.status == OPEN
    )
    return session.scalar(query) is not None


def _restore(session: Session, undone: StewardDecision) -> None:
    """The case the decision was on: the rivals it took off, or that it could not be told."""
    if undone.possible_match_id is None:
        return
    case = session.get_one(PossibleMatch, undone.possible_match_id, with_for_update=True, populate_existing=True)
    if undone.verdict == DIFFERENT:
        case.rivals = sorted({*case.rivals, *undone.others})
    elif undone.verdict == UNKNOWN:
        case.undecided -= 1
    case.revision += 1
