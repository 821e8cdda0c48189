"""What whoever is attending a person may read without being asked each time: the person's word, else the setting's."""

from dataclasses import dataclass
from functools import reduce
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from consent_broker.consents.evidence import Proof
from consent_broker.consents.vocabulary import ALL_CATEGORIES
from consent_broker.desk.models import AttendancePolicy
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import new_id, now
from registry.errors import Unprocessable
from registry.identity.service import list_person_ids
from registry.settings import Settings


@dataclass(frozen=True, slots=True)
class Standing:
    """What is permitted beforehand, and by which word of the person; None is the setting's default."""

    categories: frozenset[str]
    policy_id: UUID | None


def set_policy(session: Session, person_id: UUID, categories: frozenset[str], evidence: Proof) -> AttendancePolicy:
    """The person says what they permit to whoever attends them; nothing is «ask me each time».

    Raises Forbidden when the evidence is weak, Unprocessable for unknown categories.
    """
    moment = now()
    evidence.require_strong(person_id, moment)
    if not categories <= ALL_CATEGORIES:
        raise Unprocessable("Unknown record categories.", code="unknown-category")
    row = AttendancePolicy(
        id=new_id(),
        person_id=person_id,
        categories=sorted(categories),
        recorded_at=moment,
        evidence=evidence.as_record(),
    )
    session.add(row)
    session.flush()
    record(session, _event(row, evidence))
    return row


def standing_policy(session: Session, settings: Settings, person_id: UUID) -> Standing:
    """What counts now. Of persons merged into this one the narrower word holds: a merge never widens."""
    newest = select(AttendancePolicy).ext(distinct_on(AttendancePolicy.person_id))
    mine = newest.where(AttendancePolicy.person_id.in_({person_id, *list_person_ids(session, person_id)}))
    said = session.scalars(mine.order_by(AttendancePolicy.person_id, AttendancePolicy.recorded_at.desc())).all()
    if not said:
        return Standing(default_categories(settings), None)
    narrowest = reduce(frozenset.intersection, (frozenset(one.categories) for one in said))
    return Standing(narrowest, max(said, key=lambda one: one.recorded_at).id)


def default_categories(settings: Settings) -> frozenset[str]:
    """What the setting permits where a person has said nothing; nothing, unless an operator decided otherwise."""
    return frozenset(settings.attendance_default.split(",")) & ALL_CATEGORIES


def _event(row: AttendancePolicy, evidence: Proof) -> Event:
    return Event(
        action="consent:attendance-policy:set",
        person_id=row.person_id,
        actor_person_id=evidence.actor_person_id,
        actor_role=evidence.actor_role,
        purpose="TREAT",
        detail={"categories": list(row.categories), **evidence.as_detail()},
    )
