"""A steward decides: same, different, or impossible to tell, on a case or about two persons."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from registry.audit.service import record as audit
from registry.errors import Conflict, InvalidInput
from registry.identity.decisions import Decision, Grounds, Held, add_decision, get_decision, hold
from registry.identity.engine import Engine
from registry.identity.models import PossibleMatch
from registry.identity.outcomes import apply_plan
from registry.identity.persons import find_person
from registry.identity.plans import Subject, Verdict, make_plan
from registry.identity.rulings import DIFFERENT, SAME
from registry.identity.stewards import Steward, require_steward, require_stranger
from registry.identity.worklist import get_line, lock_case


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A steward's verdict on a case.

    `other` is the person it is about: for `same` it may be left out where there is one rival, for `different` None is
    all of them. `whole` joins the persons, else the record alone moves; `survivor` chooses the id that stays.
    `revision` is the case's as the steward saw it.
    """

    verdict: Verdict
    grounds: Grounds
    other: UUID | None = None
    whole: bool = True
    survivor: UUID | None = None
    revision: int | None = None


def decide(session: Session, engine: Engine, steward: Steward, case_id: UUID, judgement: Judgement) -> Decision:
    """Settle a possible match, or say that it can't be told.

    `same` puts the record with the other person or joins the persons; `different` is remembered until the data of one
    of them change. Raises NotFound, Forbidden (no steward, or a case about oneself), InvalidInput, Unprocessable for
    two DNIs that RENIEC confirmed, Conflict when the case is closed, changed, somebody else's, or waits for a second.
    """
    require_steward(session, steward)
    judgement.grounds.check()
    subject = subject_of(session, case_id, judgement)
    held = hold(session, engine.sealer, {subject.person_id, *subject.others})
    case = lock_case(session, steward, case_id, judgement.revision)
    if get_line(session, case_id).awaiting is not None:
        raise Conflict("A decision on this waits for a second steward.", code="decision-pending")
    return _decide(session, engine, steward, Draft(judgement.verdict, judgement.grounds, subject, held, case))


def subject_of(session: Session, case_id: UUID, judgement: Judgement) -> Subject:
    """What a verdict on a case is about, by the ids persons go by today; raises NotFound or InvalidInput."""
    line = get_line(session, case_id)
    rivals = current_ids(session, line.rivals)
    others = rivals if judgement.other is None else current_ids(session, [judgement.other])
    if judgement.other is not None and not others:
        raise InvalidInput("The other person is not there any more.", code="other-gone")
    return Subject(
        person_id=line.person_id,
        records=frozenset({line.source_record_id}),
        others=others,
        whole=judgement.whole,
        survivor=judgement.survivor,
    )


def current_ids(session: Session, person_ids: Sequence[UUID]) -> list[UUID]:
    """The ids those persons go by today, each once; emptied and unknown ones are left out."""
    found = (find_person(session, person_id) for person_id in person_ids)
    return sorted({person.id for person in found if person is not None})


def merge(
    session: Session, engine: Engine, steward: Steward, persons: tuple[UUID, UUID], grounds: Grounds,
    survivor: UUID | None = None,
) -> Decision:  # fmt: skip
    """Join two persons without a case; raises as `decide`."""
    require_steward(session, steward)
    grounds.check()
    one, other = persons
    if one == other:
        raise InvalidInput("These are one person already.", code="same-person")
    held = hold(session, engine.sealer, persons)
    subject = Subject(person_id=one, records=held.groups[one], others=[other], survivor=survivor)
    return _decide(session, engine, steward, Draft(SAME, grounds, subject, held))


def split(
    session: Session, engine: Engine, steward: Steward, person_id: UUID, records: Sequence[UUID], grounds: Grounds
) -> Decision:
    """Give some records of a person one of their own; raises as `decide`, InvalidInput when none or all are named."""
    require_steward(session, steward)
    grounds.check()
    held = hold(session, engine.sealer, [person_id])
    chosen = frozenset(records)
    if not chosen or not chosen < held.groups[person_id]:
        raise InvalidInput("Name some of the person's records, and not all of them.", code="records-some")
    subject = Subject(person_id=person_id, records=chosen, others=[person_id])
    return _decide(session, engine, steward, Draft(DIFFERENT, grounds, subject, held))


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision about to be made, over persons that are held, on a case that is held if there is one."""

    verdict: str
    grounds: Grounds
    subject: Subject
    held: Held
    case: PossibleMatch | None = None


def _decide(session: Session, engine: Engine, steward: Steward, draft: Draft) -> Decision:
    subject, held = draft.subject, draft.held
    require_stranger(engine.sealer, steward, held.loaded.values())
    plan = make_plan(draft.verdict, subject, held.groups, held.loaded)
    row = add_decision(
        session,
        engine.sealer,
        steward,
        draft.grounds,
        held,
        verdict=draft.verdict,
        possible_match_id=draft.case.id if draft.case else None,
        person_id=subject.person_id,
        others=list(subject.others),
        records=sorted(subject.records),
        whole=subject.whole,
        survivor=subject.survivor,
        needs_second=bool(plan.moving) and held.members > engine.four_eyes_above,
    )
    if row.needs_second:
        audit(session, steward.event("identity:decision:proposed", plan.source, row.reason, decision=str(row.id)))
    else:
        apply_plan(session, steward, row, plan)
    return get_decision(session, row.id)
