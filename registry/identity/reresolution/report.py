"""What a run would change, in figures a steward can judge: counts, reasons, what is at stake, and a sample."""

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Text, cast, func, select
from sqlalchemy.orm import Session

from registry.database import now
from registry.identity.models import Membership, SourceRecord
from registry.identity.reresolution.models import (
    REPORTED,
    SHADOW,
    ReresolutionChange,
    ReresolutionRun,
    ReresolutionSlice,
)
from registry.identity.reresolution.shadow import is_judged

SAMPLE = 10
BIG = 8
"""Records of a person from which a change of it is pointed out."""

BATCH = 1000


ConsentCount = Callable[[Session, Collection[UUID]], int]
"""How many of these persons have a consent in force: a room above knows."""


def report(session: Session, count_with_consent: ConsentCount, run_id: UUID) -> ReresolutionRun | None:
    """Write the report of a run whose slices are all judged; None while they are not, or when it is there."""
    run = session.get(ReresolutionRun, run_id, with_for_update=True, populate_existing=True)
    if run is None or run.status != SHADOW or not is_judged(session, run_id):
        return None
    run.report = _figures(session, run_id) | {
        "risk": _risk(session, count_with_consent, run_id),
        "sample": _sample(session, run_id),
    }
    run.reported_at, run.status = now(), REPORTED
    return run


def _judged(session: Session, run_id: UUID) -> tuple[int, int, int]:
    """Persons, records, and groups too big to be judged."""
    one = ReresolutionSlice
    sums = (func.coalesce(func.sum(column), 0) for column in (one.persons, one.records, one.too_big))
    persons, records, too_big = map(int, session.execute(select(*sums).where(one.run_id == run_id)).one())
    return persons, records, too_big


def _figures(session: Session, run_id: UUID) -> dict[str, Any]:
    persons, records, too_big = _judged(session, run_id)
    change = ReresolutionChange
    mine = change.run_id == run_id
    reasons = session.execute(
        select(change.kind, change.reason, func.count(), func.sum(func.cardinality(change.records)))
        .where(mine)
        .group_by(change.rank, change.kind, change.reason)
        .order_by(change.rank, change.reason)
    ).all()
    changes, moved = Counter[str](), Counter[str]()
    for kind, _, count, records_moved in reasons:
        changes[kind] += count
        moved[kind] += int(records_moved)
    changed = session.scalar(select(func.count(change.person_id.distinct())).where(mine)) or 0
    return {
        "persons": persons,
        "records": records,
        "links": moved["link"],
        "unlinks": moved["unlink"],
        "merges": changes["merge"],
        "reviews": changes["review"],
        "unchanged": persons - changed,
        "reasons": [{"kind": kind, "reason": reason, "changes": count} for kind, reason, count, _ in reasons],
        "too_big": too_big,
    }


def _risk(session: Session, count_with_consent: ConsentCount, run_id: UUID) -> dict[str, int]:
    """What would be touched by changes that move records; questions put to stewards touch nobody yet."""
    touched = _touched(session, run_id)
    counted = {"persons": len(touched), "with_consent": 0, "with_verified_dni": 0, "big": 0}
    for first in range(0, len(touched), BATCH):
        some = touched[first : first + BATCH]
        counted["with_consent"] += count_with_consent(session, some)
        sizes = (
            select(func.count().label("records"), func.bool_or(SourceRecord.verified).label("verified"))
            .select_from(Membership)
            .join(SourceRecord, SourceRecord.id == Membership.source_record_id)
            .where(Membership.person_id.in_(some))
            .group_by(Membership.person_id)
        )
        for records, verified in session.execute(sizes):
            counted["with_verified_dni"] += bool(verified)
            counted["big"] += records >= BIG
    return counted


def _touched(session: Session, run_id: UUID) -> list[UUID]:
    moving = select(ReresolutionChange).where(ReresolutionChange.run_id == run_id, ReresolutionChange.kind != "review")
    left = moving.with_only_columns(ReresolutionChange.person_id)
    joined = moving.with_only_columns(ReresolutionChange.target_id).where(ReresolutionChange.target_id.is_not(None))
    return sorted(session.scalars(left.union(joined)))


def _sample(session: Session, run_id: UUID) -> list[str]:
    """Some changes of each kind, picked by a hash of their ids: neither the first nor the easiest."""
    place = (
        func.row_number()
        .over(partition_by=ReresolutionChange.kind, order_by=func.md5(cast(ReresolutionChange.id, Text)))
        .label("place")
    )
    ranked = (
        select(ReresolutionChange.id, ReresolutionChange.rank, place)
        .where(ReresolutionChange.run_id == run_id)
        .subquery()
    )
    query = select(ranked.c.id).where(ranked.c.place <= SAMPLE).order_by(ranked.c.rank, ranked.c.place)
    return [str(change_id) for change_id in session.scalars(query)]
