"""The stewards' worklist: possible matches in order, a page at a time, and who works on which."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session

from registry.audit.service import record as audit
from registry.database import now
from registry.errors import Conflict, NotFound, Unprocessable
from registry.identity.models import (
    OPEN,
    Contest,
    DecisionAnswer,
    Membership,
    PossibleMatch,
    SourceRecord,
    StewardDecision,
)
from registry.identity.stewards import Steward, is_steward, require_steward

KEPT_FOR = timedelta(hours=24)
"""How long an assignment lasts: what nobody touched for a day is anybody's again."""

MOST = 100
Order = Literal["oldest", "newest", "score"]
Whose = Literal["any", "mine", "nobody"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What of the worklist is wanted; None is no wish. `awaiting` is a second steward's answer."""

    status: str | None = OPEN
    reason: str | None = None
    establishment_id: UUID | None = None
    assigned: Whose = "any"
    contested: bool | None = None
    awaiting: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLine:
    """A possible match as the worklist shows it; ids only, so that listing reads nobody's data.

    `weight` is in bits and None where no pair was weighed yet; `assigned_to` a steward's handle while it lasts.
    """

    id: UUID
    reason: str
    status: str
    weight: float | None
    contributions: Sequence[Sequence[str | float]]
    model_hash: str
    created_at: datetime
    closed_at: datetime | None
    revision: int
    source_record_id: UUID
    establishment_id: UUID
    person_id: UUID
    rivals: Sequence[UUID]
    assigned_to: str | None
    assigned_at: datetime | None
    undecided: int
    contested: bool
    awaiting: UUID | None
    """The decision that waits for a second steward."""


_CONTESTED = exists().where(Contest.possible_match_id == PossibleMatch.id, Contest.status == OPEN)
_AWAITING = (
    select(StewardDecision.id)
    .where(
        StewardDecision.possible_match_id == PossibleMatch.id,
        StewardDecision.needs_second,
        ~exists().where(DecisionAnswer.decision_id == StewardDecision.id),
    )
    .order_by(StewardDecision.decided_at.desc())
    .limit(1)
    .scalar_subquery()
)


def list_cases(
    session: Session,
    steward: Steward,
    filters: Filters | None = None,
    *,
    order: Order = "oldest",
    after: UUID | None = None,
    limit: int = 25,
) -> list[CaseLine]:
    """A page of the worklist, those a steward could not settle last; `after` is the last case of the page before.

    Raises Forbidden unless the caller is a steward, NotFound for an unknown `after`.
    """
    require_steward(session, steward)
    query = _lines().where(*_conditions(filters or Filters(), steward))
    ranked = _ranking(order)
    if after is not None:
        query = query.where(tuple_(*ranked) > tuple_(*_rank_of(session, order, after)))
    rows = session.execute(query.order_by(*ranked).limit(max(1, min(limit, MOST))))
    return [_line(row[0], *row[1:]) for row in rows]


def count_cases(session: Session, steward: Steward, filters: Filters | None = None) -> int:
    """How many cases the filters leave."""
    query = select(func.count()).select_from(PossibleMatch).where(*_conditions(filters or Filters(), steward))
    return session.scalar(query) or 0


def get_line(session: Session, case_id: UUID) -> CaseLine:
    """One case as the worklist shows it; raises NotFound."""
    row = session.execute(
        _lines().where(PossibleMatch.id == case_id).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such possible match.", code="unknown-possible-match")
    return _line(row[0], *row[1:])


def take(session: Session, steward: Steward, case_id: UUID, revision: int | None = None) -> CaseLine:
    """Work on a case oneself; raises NotFound, Forbidden, Conflict when closed, changed or somebody else's."""
    return assign(session, steward, case_id, steward.handle, revision)


def assign(session: Session, steward: Steward, case_id: UUID, handle: str, revision: int | None = None) -> CaseLine:
    """Give a free case, or one's own, to a steward; raises NotFound, Forbidden, Conflict, or Unprocessable for another.

    `revision` is the case's as the caller saw it: of two who take it at once the second gets Conflict.
    """
    require_steward(session, steward)
    if not is_steward(session, handle):
        raise Unprocessable("A case is given to a steward.", code="not-a-steward")
    case = lock_case(session, steward, case_id, revision)
    case.assigned_to, case.assigned_at = handle, now()
    return _changed(session, steward, case, "identity:case:assigned")


def release(session: Session, steward: Steward, case_id: UUID, revision: int | None = None) -> CaseLine:
    """Give a case back to the worklist; raises as `take`."""
    require_steward(session, steward)
    case = lock_case(session, steward, case_id, revision)
    case.assigned_to = case.assigned_at = None
    return _changed(session, steward, case, "identity:case:released")


def lock_case(session: Session, steward: Steward, case_id: UUID, revision: int | None) -> PossibleMatch:
    """Hold an open case for a steward whose it may be; raises NotFound or Conflict. Persons are held before cases."""
    case = session.get(PossibleMatch, case_id, with_for_update=True, populate_existing=True)
    if case is None:
        raise NotFound("There is no such possible match.", code="unknown-possible-match")
    if case.status != OPEN:
        raise Conflict("This possible match is closed.", code="case-closed", hint="Read it again to see how it ended.")
    if revision not in {None, case.revision}:
        raise Conflict("This possible match has changed since you read it.", code="case-changed", hint="Read it again.")
    if assigned(case) not in {None, steward.handle}:
        raise Conflict("Another steward works on this possible match.", code="case-taken")
    return case


def assigned(case: PossibleMatch) -> str | None:
    """Who works on the case, while that lasts."""
    lasting = case.assigned_at is not None and now() - case.assigned_at < KEPT_FOR
    return case.assigned_to if lasting else None


def _changed(session: Session, steward: Steward, case: PossibleMatch, action: str) -> CaseLine:
    case.revision += 1
    session.flush()
    audit(session, steward.event(action, None, case=str(case.id), to=case.assigned_to))
    return get_line(session, case.id)


def _lines() -> Select[PossibleMatch, UUID, UUID, bool, UUID | None]:
    return (
        select(PossibleMatch, SourceRecord.establishment_id, Membership.person_id, _CONTESTED, _AWAITING)
        .join(SourceRecord, SourceRecord.id == PossibleMatch.source_record_id)
        .join(Membership, Membership.source_record_id == PossibleMatch.source_record_id)
    )


def _line(
    case: PossibleMatch, establishment_id: UUID, person_id: UUID, contested: bool, awaiting: UUID | None
) -> CaseLine:
    holder = assigned(case) if case.status == OPEN else None
    return CaseLine(
        id=case.id,
        reason=case.reason,
        status=case.status,
        weight=case.weight if case.contributions else None,
        contributions=case.contributions,
        model_hash=case.model_hash,
        created_at=case.created_at,
        closed_at=case.closed_at,
        revision=case.revision,
        source_record_id=case.source_record_id,
        establishment_id=establishment_id,
        person_id=person_id,
        rivals=case.rivals,
        assigned_to=holder,
        assigned_at=case.assigned_at if holder else None,
        undecided=case.undecided,
        contested=contested,
        awaiting=awaiting,
    )


def _conditions(filters: Filters, steward: Steward) -> list[ColumnElement[bool]]:
    held = PossibleMatch.assigned_at > now() - KEPT_FOR
    place = select(SourceRecord.id).where(SourceRecord.establishment_id == filters.establishment_id)
    whose: dict[str, ColumnElement[bool]] = {
        "mine": and_(PossibleMatch.assigned_to == steward.handle, held),
        "nobody": or_(PossibleMatch.assigned_to.is_(None), ~held),
    }
    wishes = (
        (filters.status is not None, PossibleMatch.status == filters.status),
        (filters.reason is not None, PossibleMatch.reason == filters.reason),
        (filters.establishment_id is not None, PossibleMatch.source_record_id.in_(place)),
        (filters.assigned != "any", whose.get(filters.assigned)),
        (filters.contested is not None, _CONTESTED if filters.contested else ~_CONTESTED),
        (filters.awaiting is not None, _AWAITING.is_not(None) if filters.awaiting else _AWAITING.is_(None)),
    )
    return [condition for wished, condition in wishes if wished and condition is not None]


def _ranking(order: Order) -> tuple[Any, ...]:
    """What a page is sorted by, ascending; ids are ordered by time (UUIDv7)."""
    if order == "score":
        return PossibleMatch.undecided, -PossibleMatch.weight, PossibleMatch.id
    if order == "newest":
        return (-func.extract("epoch", PossibleMatch.created_at), PossibleMatch.id)
    return PossibleMatch.undecided, PossibleMatch.id


def _rank_of(session: Session, order: Order, case_id: UUID) -> Sequence[object]:
    row = session.execute(select(*_ranking(order)).where(PossibleMatch.id == case_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such possible match.", code="unknown-possible-match")
    return tuple(row)
