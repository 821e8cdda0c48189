"""What a verdict would do, before it is given: which ids stay, what moves, who will be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from registry.errors import DomainError
from registry.identity.candidates import load_persons
from registry.identity.deciding import Judgement, subject_of
from registry.identity.engine import Engine
from registry.identity.notices import list_concerned
from registry.identity.plans import make_plan
from registry.identity.regrouping import list_members
from registry.identity.stewards import Steward, require_steward


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """A preview: `survivor` keeps its id, `replaced` leads to it; with `new_person` the moving records get their own.

    `establishments` will be told. `refused` is the code of the rule that forbids it, None when it may be done.
    """

    verdict: str
    survivor: UUID | None = None
    replaced: UUID | None = None
    new_person: bool = False
    moving: Sequence[UUID] = ()
    establishments: Sequence[UUID] = ()
    needs_second: bool = False
    refused: str | None = None


def preview(session: Session, engine: Engine, steward: Steward, case_id: UUID, judgement: Judgement) -> Effects:
    """What the verdict would do now, without doing it. Raises NotFound, Forbidden, InvalidInput."""
    require_steward(session, steward)
    subject = subject_of(session, case_id, judgement)
    persons = {subject.person_id, *subject.others}
    groups = list_members(session, persons)
    try:
        plan = make_plan(judgement.verdict, subject, groups, load_persons(session, engine.sealer, persons))
    except DomainError as error:
        return Effects(verdict=judgement.verdict, refused=error.error_code)
    survivor = plan.target or (None if plan.empties else plan.source)
    return Effects(
        verdict=judgement.verdict,
        survivor=survivor,
        replaced=plan.source if plan.merges else None,
        new_person=bool(plan.moving) and plan.target is None,
        moving=sorted(plan.moving),
        establishments=list_concerned(session, persons, plan.moving) if plan.moving else (),
        needs_second=bool(plan.moving) and plan.members > engine.four_eyes_above,
    )
