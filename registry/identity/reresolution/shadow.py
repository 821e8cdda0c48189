"""Judging the whole index in the shadow: nothing is changed, what would change is written down, slice by slice."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import exists, func, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from matching.model import Model
from registry.database import Database, new_id, now
from registry.errors import Conflict
from registry.identity.engine import Engine
from registry.identity.membership import contributions_of
from registry.identity.models import Membership, MembershipEvent, Person
from registry.identity.reresolution.judgement import KINDS, MOST_MEMBERS, Proposal
from registry.identity.reresolution.models import (
    OPEN,
    SHADOW,
    MatchModel,
    ReresolutionChange,
    ReresolutionRun,
    ReresolutionSlice,
)
from registry.identity.reresolution.neighbourhood import propose

SLICE = 50
PLAN = text("""
INSERT INTO reresolution_slices (run_id, number, after, until, persons, records, too_big)
SELECT :run_id, number, lag(id) OVER (ORDER BY number), id, 0, 0, 0 FROM (
  SELECT id, ceil(place / CAST(:slice AS numeric)) AS number
  FROM (SELECT id, row_number() OVER (ORDER BY id) AS place, count(*) OVER () AS total
        FROM persons WHERE status = 'active') AS ranked
  WHERE place % :slice = 0 OR place = total
) AS marks
""")


def start(session: Session, model: Model, former_hash: str, started_by: str) -> ReresolutionRun:
    """Plan a run of the model over everybody there is now; raises Conflict while another run is open."""
    if session.scalar(select(ReresolutionRun.id).where(ReresolutionRun.status.in_(OPEN))):
        raise Conflict("A re-resolution is open already.", code="reresolution-open", hint="End or cancel it first.")
    known = {"hash": model.hash, "version": model.version, "document": dict(model.document), "added_at": now()}
    session.execute(upsert(MatchModel).values(known).on_conflict_do_nothing())
    run = ReresolutionRun(
        id=new_id(),
        model_hash=model.hash,
        former_hash=former_hash,
        started_by=started_by,
        position=session.scalar(select(func.max(MembershipEvent.position))) or 0,
    )
    session.add(run)
    session.flush()
    session.execute(PLAN, {"run_id": run.id, "slice": SLICE})
    return run


def judge_slices(database: Database, engine: Engine, run_id: UUID) -> Iterator[int]:
    """Judge what is left, a slice a transaction, and yield the persons of each: what was done stays done.

    Several at once share the work; who finds nothing left returns, though others may still be at theirs.
    """
    while True:
        with database.unit_of_work() as session:
            judged = judge_slice(session, engine, run_id)
        if judged is None:
            return
        yield judged


def judge_slice(session: Session, engine: Engine, run_id: UUID) -> int | None:
    """Judge the next slice nobody is at; None when there is none."""
    due = (
        select(ReresolutionSlice)
        .join(ReresolutionRun, ReresolutionRun.id == ReresolutionSlice.run_id)
        .where(ReresolutionSlice.run_id == run_id, ReresolutionSlice.done_at.is_(None))
        .where(ReresolutionRun.status == SHADOW)
        .order_by(ReresolutionSlice.number)
        .limit(1)
        .with_for_update(of=ReresolutionSlice, skip_locked=True)
    )
    part = session.scalar(due)
    if part is None:
        return None
    sizes = _sizes(session, part)
    proposals = [one for person_id in sizes for one in propose(session, engine, person_id)]
    if proposals:
        rows = [_row(run_id, proposal) for proposal in proposals]
        session.execute(upsert(ReresolutionChange).on_conflict_do_nothing(), rows)
    part.persons, part.records = len(sizes), sum(sizes.values())
    part.too_big = sum(size > MOST_MEMBERS for size in sizes.values())
    part.done_at = now()
    return len(sizes)


def is_judged(session: Session, run_id: UUID) -> bool:
    """Whether every slice of the run is done."""
    left = exists().where(ReresolutionSlice.run_id == run_id, ReresolutionSlice.done_at.is_(None))
    return not session.scalar(select(left))


def _sizes(session: Session, part: ReresolutionSlice) -> dict[UUID, int]:
    """The current persons of a slice, with how many records each has."""
    query = (
        select(Person.id, func.count())
        .join(Membership, Membership.person_id == Person.id)
        .where(Person.status == "active", Person.id <= part.until)
        .group_by(Person.id)
        .order_by(Person.id)
    )
    return dict(session.execute(query if part.after is None else query.where(Person.id > part.after)).all())


def _row(run_id: UUID, proposal: Proposal) -> dict[str, object]:
    return {
        "id": new_id(),
        "run_id": run_id,
        "rank": KINDS.index(proposal.kind),
        "kind": proposal.kind,
        "person_id": proposal.person_id,
        "target_id": proposal.target_id,
        "records": sorted(proposal.records),
        "rivals": sorted(proposal.rivals),
        "reason": proposal.reason,
        "weight": proposal.score.weight_bits if proposal.score else None,
        "contributions": contributions_of(proposal.score) if proposal.score else None,
    }
