"""Applying an approved run: each change is judged again as things stand, then written as any move of the engine is."""

from collections.abc import Iterator, Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from matching.blocking import lock_keys
from matching.cluster import Resolution
from registry.audit.event import Event
from registry.audit.service import record as audit
from registry.database import Database, now
from registry.identity.candidates import LoadedMember, LoadedPerson, load_persons, lock_persons, serialise
from registry.identity.cases import Question, ask, close_answered, keep_case
from registry.identity.engine import Engine, blind_keys
from registry.identity.membership import ENGINE, Move, apply_move
from registry.identity.models import SUPERSEDED, Person
from registry.identity.notices import MERGED, SPLIT, UNLINKED, tell
from registry.identity.persons import find_person
from registry.identity.placement import Home, Placement
from registry.identity.reresolution.judgement import Proposal
from registry.identity.reresolution.models import (
    APPLYING,
    DONE,
    PROPOSED,
    STALE,
    ReresolutionChange,
    ReresolutionRun,
)
from registry.identity.reresolution.neighbourhood import propose
from registry.sealing import Sealer

TOPICS = {"merge": MERGED, "link": UNLINKED, "unlink": SPLIT}
"""What establishments are told of each kind of change that moves records."""


def apply_changes(database: Database, engine: Engine, run_id: UUID) -> Iterator[str]:
    """Apply what is left, a change a transaction, and yield each one's status: what was done stays done.

    Several at once share the work.
    """
    while True:
        with database.unit_of_work() as session:
            status = apply_next(session, engine, run_id)
        if status is None:
            return
        yield status


def apply_next(session: Session, engine: Engine, run_id: UUID) -> str | None:
    """Apply the next change nobody is at, or find it stale; None when there is none."""
    due = (
        select(ReresolutionChange)
        .join(ReresolutionRun, ReresolutionRun.id == ReresolutionChange.run_id)
        .where(ReresolutionChange.run_id == run_id, ReresolutionChange.status == PROPOSED)
        .where(ReresolutionRun.status == APPLYING)
        .order_by(ReresolutionChange.rank, ReresolutionChange.id)
        .limit(1)
        .with_for_update(of=ReresolutionChange, skip_locked=True)
    )
    change = session.scalar(due)
    if change is None:
        return None
    change.status = DONE if _settle(session, engine, change) else STALE
    change.settled_at = now()
    return change.status


def _settle(session: Session, engine: Engine, change: ReresolutionChange) -> bool:
    """Write the change if the model still says it of what stands now.

    Who registers a record of these people waits, then they are held, as everybody does it, and only then judged.
    """
    target = find_person(session, change.target_id) if change.target_id else None
    people = [change.person_id, *([target.id] if target else [])]
    _wait_for_registrations(session, engine.sealer, people)
    lock_persons(session, people)
    found = propose(session, engine, change.person_id)
    proposal = next((one for one in found if _is_approved(one, change, target)), None)
    if proposal is None:
        return False
    _write(session, engine, change, proposal)
    return True


def _wait_for_registrations(session: Session, sealer: Sealer, people: Sequence[UUID]) -> None:
    """Let nobody find these records, by any of their keys, until this is over."""
    members = [one for person in load_persons(session, sealer, people).values() for one in person.members]
    serialise(session, {token for one in members for token in blind_keys(sealer, lock_keys(one.normalised))})


def _is_approved(proposal: Proposal, change: ReresolutionChange, target: Person | None) -> bool:
    """The same records go the same way, to the person the target is today."""
    same = proposal.kind == change.kind and sorted(proposal.records) == sorted(change.records)
    return same and proposal.target_id == (target.id if target else None)


def _write(session: Session, engine: Engine, change: ReresolutionChange, proposal: Proposal) -> None:
    person = load_persons(session, engine.sealer, [proposal.person_id])[proposal.person_id]
    members = [one for one in person.members if one.record_id in proposal.records]
    if proposal.kind != "review":
        own = _move(session, engine, person, members, proposal)
        regrouped = update(Person).where(Person.id.in_([person.person_id, own])).values(regrouped_at=now())
        session.execute(regrouped, execution_options={"synchronize_session": False})
        close_answered(session, own, SUPERSEDED)
        topic = TOPICS[proposal.kind]
        tell(session, topic, str(change.id), persons=(person.person_id, own), records=proposal.records)
        for person_id in (person.person_id, own):
            audit(session, _event(engine, change, topic, person_id))
    if proposal.rivals:
        ask(session, _question(engine, members[0], proposal), both=True)


def _move(
    session: Session, engine: Engine, person: LoadedPerson, members: Sequence[LoadedMember], proposal: Proposal
) -> UUID:
    """Move the records one by one; the last to leave a merged person lets its id lead to the other."""
    target = proposal.target_id
    for left, one in zip(range(len(members) - 1, -1, -1), members, strict=True):
        decision: Literal["link", "new"] = "link" if proposal.target_id else "new"
        resolution = Resolution(decision, target, proposal.score if proposal.target_id else None, proposal.reason)
        alone = proposal.kind == "merge" and left == 0
        home = Home(person.person_id, one.normalised, alone=alone, verified=one.verified)
        move = Move(
            one.record_id, one.version, home, Placement(decision, target, resolution), engine.model.hash, told=True
        )
        target = apply_move(session, move)
        keep_case(session, move)
    if target is None:
        raise ValueError("a change without records")
    return target


def _question(engine: Engine, member: LoadedMember, proposal: Proposal) -> Question:
    return Question(
        record_id=member.record_id,
        version=member.version,
        rivals=proposal.rivals,
        reason=proposal.reason,
        score=proposal.score,
        model_hash=engine.model.hash,
    )


def _event(engine: Engine, change: ReresolutionChange, action: str, person_id: UUID) -> Event:
    detail = {"run": str(change.run_id), "change": str(change.id), "model": engine.model.hash}
    return Event(action=action, reason=change.reason, person_id=person_id, actor_role=ENGINE, detail=detail)
