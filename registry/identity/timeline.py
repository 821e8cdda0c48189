"""A person as it stood at any moment, and the history that led there: derived from the events, never kept twice."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from matching.normalise import normalise
from registry.audit.service import record as audit
from registry.database import now
from registry.errors import InvalidInput, NotFound
from registry.identity.candidates import LoadedMember, LoadedPerson
from registry.identity.comparison import SENSITIVE, Said, mask, say, values_of
from registry.identity.contents import from_bytes, seal_context
from registry.identity.engine import Engine
from registry.identity.events import replay
from registry.identity.models import MembershipEvent, Person, SourceRecord, SourceRecordVersion, Verification
from registry.identity.persons import born_of, list_person_ids, preferred_of
from registry.identity.stewards import Steward, require_steward, require_stranger
from registry.pide.port import Status
from registry.sealing import DataKey, Sealer


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPerson:
    """A person at a moment: `active`, `replaced` (by whom) or `empty`, its records as they were, what was preferred.

    `preferred` has an entry for each field, masked as the records' are; it is empty for a person without records.
    """

    person_id: UUID
    at: datetime
    status: str
    replaced_by: UUID | None
    records: Sequence[Said]
    preferred: Mapping[str, str]


def person_at(
    session: Session,
    engine: Engine,
    steward: Steward,
    person_id: UUID,
    moment: datetime,
    reveal: Collection[str] = (),
) -> PastPerson:
    """The person as it stood at that moment (aware): its membership, and what its records said and RENIEC knew then.

    The reading is in the person's log. Raises NotFound for one that was not there yet, Forbidden, InvalidInput for a
    moment to come or a field nobody may reveal.
    """
    require_steward(session, steward)
    if moment > now():
        raise InvalidInput("The moment is in the future.", code="moment-in-the-future")
    if not SENSITIVE.issuperset(reveal):
        raise InvalidInput(f"What can be revealed: {', '.join(sorted(SENSITIVE))}.", code="field-unknown")
    person = session.get(Person, person_id)
    if person is None or person.created_at > moment:
        raise NotFound("There was no such person.", code="unknown-person")
    records, replaced_by = membership_at(session, person_id, moment)
    members = _members_at(session, engine.sealer, records, moment)
    loaded = LoadedPerson(person_id, person.revision, tuple(members), frozenset(records))
    require_stranger(engine.sealer, steward, [loaded])
    audit(
        session, steward.event("identity:history:read", person_id, None, at=moment.isoformat(), fields=sorted(reveal))
    )
    masked = SENSITIVE - frozenset(reveal)
    checks = _checks_at(session, members, moment)
    facts = preferred_of(loaded)
    preferred = values_of(facts, born_of(loaded, facts)) if members else {}
    return PastPerson(
        person_id=person_id,
        at=moment,
        status="active" if records else "replaced" if replaced_by else "empty",
        replaced_by=replaced_by,
        records=[say(person_id, one, checks.get(one.record_id), masked) for one in members],
        preferred={field: mask(value) if field in masked else value for field, value in preferred.items()},
    )


def membership_at(session: Session, person_id: UUID, moment: datetime) -> tuple[Sequence[UUID], UUID | None]:
    """The records a person had at a moment, and the person that replaced it by then, if any."""
    ever = select(MembershipEvent.source_record_id).where(MembershipEvent.person_id == person_id)
    events = select(MembershipEvent).where(MembershipEvent.source_record_id.in_(ever), MembershipEvent.at <= moment)
    state = replay(session.scalars(events.order_by(MembershipEvent.position)))
    records = sorted(record for record, home in state.memberships.items() if home == person_id)
    return records, state.replaced_by.get(person_id)


def list_history(session: Session, steward: Steward, person_id: UUID) -> Sequence[MembershipEvent]:
    """What ever happened to a person and to those it replaced, newest first, 500 at most; audited. Raises Forbidden."""
    require_steward(session, steward)
    persons = list_person_ids(session, person_id)
    audit(session, steward.event("identity:history:read", person_id, None))
    about = MembershipEvent.person_id.in_(persons) | MembershipEvent.other_person_id.in_(persons)
    return session.scalars(
        select(MembershipEvent).where(about).order_by(MembershipEvent.position.desc()).limit(500)
    ).all()


def _members_at(session: Session, sealer: Sealer, records: Sequence[UUID], moment: datetime) -> list[LoadedMember]:
    newest = select(SourceRecordVersion).ext(distinct_on(SourceRecordVersion.source_record_id))
    said = (
        newest.where(SourceRecordVersion.source_record_id.in_(records), SourceRecordVersion.received_at <= moment)
        .order_by(SourceRecordVersion.source_record_id, SourceRecordVersion.version.desc())
        .subquery()
    )
    verified = (
        select(Verification.id)
        .where(
            Verification.source_record_id == said.c.source_record_id,
            Verification.version == said.c.version,
            Verification.checked_at <= moment,
            Verification.status == Status.VERIFIED.value,
        )
        .exists()
    )
    query = (
        select(SourceRecord.id, SourceRecord.establishment_id, said, DataKey, verified.label("verified"))
        .join(said, said.c.source_record_id == SourceRecord.id)
        .join(DataKey, DataKey.owner_id == SourceRecord.id)
        .order_by(SourceRecord.id)
    )
    return [_open(sealer, row) for row in session.execute(query)]


def _open(sealer: Sealer, row: Row[*tuple[Any, ...]]) -> LoadedMember:
    content = from_bytes(sealer.unseal(row.DataKey, row.sealed, seal_context(row.version)))
    return LoadedMember(
        record_id=row.id,
        establishment_id=row.establishment_id,
        version=row.version,
        active=row.active,
        verified=row.verified,
        received_at=row.received_at,
        content=content,
        normalised=normalise(content.demographics),
    )


def _checks_at(session: Session, members: Sequence[LoadedMember], moment: datetime) -> dict[UUID, str]:
    """What the identity registry had said by then of the version each record had."""
    query = (
        select(Verification.source_record_id, Verification.version, Verification.status)
        .where(Verification.source_record_id.in_([one.record_id for one in members]), Verification.checked_at <= moment)
        .order_by(Verification.checked_at, Verification.id)
    )
    versions = {one.record_id: one.version for one in members}
    return {row[0]: row[2] for row in session.execute(query) if versions[row[0]] == row[1]}
