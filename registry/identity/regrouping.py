"""What a steward's decision does to persons: records move, persons are replaced and come back, all as events.

The caller holds every person concerned. An event names the decision it came of, so that it can be taken back exactly.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from registry.database import new_id, now
from registry.identity.events import EventKind
from registry.identity.models import Membership, MembershipEvent, Person, membership_events

STEWARD = "steward"


@dataclass(frozen=True, slots=True)
class Act:
    """The decision in whose name persons are regrouped, and its reason code."""

    session: Session
    decision_id: UUID
    reason: str
    moment: datetime = field(default_factory=now)
    """One for all events of the decision: no moment of the past shows half of it."""

    def move(self, records: Collection[UUID], source: UUID, target: UUID) -> None:
        """Take records out of one person and put them into another."""
        if not records:
            return
        for record_id in sorted(records):
            self._add(EventKind.UNLINKED, source, record_id)
            self._add(EventKind.LINKED, target, record_id)
        self.session.execute(
            update(Membership)
            .where(Membership.source_record_id.in_(records))
            .values(person_id=target, since=self.moment)
        )
        self._revise([source, target], regrouped_at=self.moment)

    def replace(self, person_id: UUID, by: UUID, witness: UUID) -> None:
        """Let an emptied person lead to another; `witness` is the last record that left it."""
        self._add(EventKind.MERGED, person_id, witness, other=by)
        self._revise([person_id], status="replaced", replaced_by=by)

    def revive(self, person_id: UUID, witness: UUID) -> None:
        """Take a replacement back: the person stands for itself again."""
        self._add(EventKind.SPLIT, person_id, witness)
        self._revise([person_id], status="active", replaced_by=None)

    def set_status(self, person_id: UUID, status: str) -> None:
        """A person whose last record was somebody else's is `empty`, until one comes back."""
        self._revise([person_id], status=status)

    def new_person(self) -> UUID:
        """A person without records yet."""
        person_id = new_id()
        self.session.add(Person(id=person_id, created_at=self.moment, regrouped_at=self.moment))
        self.session.flush()
        return person_id

    def touch(self, person_ids: Iterable[UUID]) -> None:
        """Make every registration that judged these persons before this commit judge them again."""
        self._revise(list(person_ids))

    def _revise(self, person_ids: Collection[UUID], **values: object) -> None:
        changed = update(Person).where(Person.id.in_(person_ids)).values(revision=Person.revision + 1, **values)
        self.session.execute(changed, execution_options={"synchronize_session": False})

    def _add(self, kind: EventKind, person_id: UUID, record_id: UUID, *, other: UUID | None = None) -> None:
        event = {
            "kind": kind.value,
            "person_id": person_id,
            "source_record_id": record_id,
            "other_person_id": other,
            "at": self.moment,
            "actor": STEWARD,
            "reason": self.reason,
            "decision_id": self.decision_id,
        }
        self.session.execute(insert(membership_events).values(event))


def list_members(session: Session, person_ids: Collection[UUID]) -> dict[UUID, frozenset[UUID]]:
    """The records of each person, those included that can't be opened any more."""
    rows = session.execute(
        select(Membership.person_id, Membership.source_record_id).where(Membership.person_id.in_(person_ids))
    ).all()
    found: dict[UUID, set[UUID]] = {person_id: set() for person_id in person_ids}
    for row in rows:
        found[row.person_id].add(row.source_record_id)
    return {person_id: frozenset(records) for person_id, records in found.items()}


def list_homes(session: Session, records: Collection[UUID]) -> set[UUID]:
    """The persons those records are about today."""
    return set(session.scalars(select(Membership.person_id).where(Membership.source_record_id.in_(records))))


def list_events(session: Session, decision_id: UUID) -> list[MembershipEvent]:
    """The events of a decision, in their order."""
    query = select(MembershipEvent).where(MembershipEvent.decision_id == decision_id)
    return list(session.scalars(query.order_by(MembershipEvent.position)))
