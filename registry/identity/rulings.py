"""What stewards ruled about two records: it outranks the engine until the data of one of them change."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from uuid import UUID

from sqlalchemy import ColumnElement, and_, bindparam, func, insert, or_, select, update
from sqlalchemy.orm import Session

from matching.normalise import Normalised
from registry.database import new_id, now
from registry.identity.models import Ruling, rulings
from registry.identity.records import list_checks
from registry.pide.port import Status

SAME, DIFFERENT = "same", "different"

IN_FORCE = select(
    rulings.c.verdict,
    rulings.c.record_id,
    rulings.c.other_record_id,
    rulings.c.record_check,
    rulings.c.other_record_check,
).where(
    or_(rulings.c.record_id == bindparam("wanted"), rulings.c.other_record_id == bindparam("wanted")),
    rulings.c.ended_at.is_(None),
)


@dataclass(frozen=True, slots=True)
class Rulings:
    """The records a record was told apart from, and those it was found to be together with.

    `checked_apart` are those told apart when the identity registry had confirmed both; `known_check` is what it had
    said of the record when somebody last found it together with another.
    """

    apart: frozenset[UUID] = frozenset()
    together: frozenset[UUID] = frozenset()
    checked_apart: frozenset[UUID] = frozenset()
    known_checks: frozenset[str] = frozenset()

    def bar(self, records: Iterable[UUID]) -> bool:
        """Whether the record may not be joined with a person of those records."""
        return not self.apart.isdisjoint(records)

    def hold(self, records: Iterable[UUID]) -> bool:
        """Whether the record belongs with a person of those records."""
        return not self.together.isdisjoint(records)


NONE = Rulings()


def list_rulings(session: Session, record_id: UUID) -> Rulings:
    """What is in force about one record, whichever side it was named on."""
    rows = session.execute(IN_FORCE, {"wanted": record_id}).all()
    sides = [
        (row.verdict, row.other_record_id, row.record_check, row.other_record_check)
        if row.record_id == record_id
        else (row.verdict, row.record_id, row.other_record_check, row.record_check)
        for row in rows
    ]
    confirmed = Status.VERIFIED.value
    return Rulings(
        apart=frozenset(other for verdict, other, *_ in sides if verdict == DIFFERENT),
        together=frozenset(other for verdict, other, *_ in sides if verdict == SAME),
        checked_apart=frozenset(
            other for verdict, other, *checks in sides if verdict == DIFFERENT and checks == [confirmed, confirmed]
        ),
        known_checks=frozenset(check for verdict, _, check, _ in sides if verdict == SAME and check),
    )


def same_identity(before: Normalised, after: Normalised) -> bool:
    """Whether two versions say the same of who somebody is; where they live and how they are reached is no part of it.

    This is what "until the data change" means for a ruling.
    """
    return _who(before) == _who(after)


def _who(record: Normalised) -> Normalised:
    return replace(record, ubigeo="", address=frozenset(), phone="")


def rule(session: Session, decision_id: UUID, verdict: str, ours: Collection[UUID], theirs: Collection[UUID]) -> None:
    """Put the verdict in force between every record of one side and every record of the other.

    What was ruled about any of these pairs before ends with it. The caller holds the persons of all of them.
    """
    if not ours or not theirs:
        return
    _end(session, _hold(session, and_(_across(ours, theirs), Ruling.ended_at.is_(None))), decision_id)
    checks = list_checks(session, {*ours, *theirs})
    moment = now()
    rows = [
        {
            "id": new_id(),
            "verdict": verdict,
            "record_id": one,
            "other_record_id": other,
            "decision_id": decision_id,
            "record_check": checks.get(one),
            "other_record_check": checks.get(other),
            "created_at": moment,
        }
        for one, other in product(sorted(ours), sorted(theirs))
    ]
    session.execute(insert(rulings), rows)


def lapse(session: Session, record_id: UUID) -> None:
    """A record's data changed: what was ruled about the former ones no longer holds, and no undo brings it back."""
    concerned = _hold(session, or_(Ruling.record_id == record_id, Ruling.other_record_id == record_id))
    ending = (
        update(Ruling)
        .where(Ruling.id.in_(concerned))
        .values(ended_at=func.coalesce(Ruling.ended_at, now()), ended_by=None)
    )
    session.execute(ending, execution_options={"synchronize_session": False})


def find_apart(session: Session, ours: Collection[UUID], theirs: Collection[UUID], *, besides: UUID) -> UUID | None:
    """Another decision that told a record of one side apart from one of the other, and is in force; None for none."""
    query = select(Ruling.decision_id).where(
        _across(ours, theirs), Ruling.verdict == DIFFERENT, Ruling.ended_at.is_(None), Ruling.decision_id != besides
    )
    return session.scalar(query.order_by(Ruling.id).limit(1))


def take_back(session: Session, decision_id: UUID, undone_by: UUID) -> None:
    """End the rulings of a decision and put those it ended in force again."""
    made = and_(Ruling.decision_id == decision_id, Ruling.ended_at.is_(None))
    held = _hold(session, or_(made, Ruling.ended_by == decision_id))
    restore = update(Ruling).where(Ruling.id.in_(held), Ruling.ended_by == decision_id)
    session.execute(restore.values(ended_at=None, ended_by=None), execution_options={"synchronize_session": False})
    own = session.scalars(select(Ruling.id).where(Ruling.id.in_(held), made)).all()
    _end(session, own, undone_by)


def _hold(session: Session, which: ColumnElement[bool]) -> Sequence[UUID]:
    """Hold rulings in one order, since those of one record are about records of other persons too."""
    return session.scalars(select(Ruling.id).where(which).order_by(Ruling.id).with_for_update()).all()


def _end(session: Session, held: Collection[UUID], decision_id: UUID) -> None:
    ending = update(Ruling).where(Ruling.id.in_(held)).values(ended_at=now(), ended_by=decision_id)
    session.execute(ending, execution_options={"synchronize_session": False})


def _across(ours: Collection[UUID], theirs: Collection[UUID]) -> ColumnElement[bool]:
    return or_(
        and_(Ruling.record_id.in_(ours), Ruling.other_record_id.in_(theirs)),
        and_(Ruling.record_id.in_(theirs), Ruling.other_record_id.in_(ours)),
    )
