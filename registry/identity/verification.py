"""Checking source records against the State's identity registry, after they were received and never in their way."""

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from matching.blocking import blocking_keys
from matching.cluster import Resolution, verified_conflict
from matching.normalise import Normalised, normalise
from matching.records import Demographics, Document, DocumentType
from registry import outbox
from registry.audit.event import Event
from registry.audit.service import record as audit
from registry.database import new_id, now
from registry.identity.agreement import names_agree
from registry.identity.candidates import LoadedMember, LoadedPerson, find_persons, lock_persons
from registry.identity.cases import Question, ask
from registry.identity.engine import blind_keys
from registry.identity.membership import Move, apply_move
from registry.identity.models import NAMES_DIFFER, Person, SourceRecord, Verification
from registry.identity.notices import CHANGED
from registry.identity.placement import Home, Placement
from registry.identity.rulings import list_rulings
from registry.identity.search import find_by_source_record
from registry.pide.port import UNSUPPORTED, IdentityCheck, IdentityRegistry, Status
from registry.sealing import Sealer

CHECK_EVERY = timedelta(seconds=10)
RETRY_AFTER = timedelta(hours=1)
BATCH = 50
MOST_SECONDS = 8.0
VERIFIED_CONFLICT = "verified-conflict"
SAME_HOLDER = "same-verified-document"


def verify_due(session: Session, sealer: Sealer, registry: IdentityRegistry) -> int:
    """Check the records that are due, each in its own transaction, for a few seconds at most; returns how many."""
    deadline, done = time.monotonic() + MOST_SECONDS, 0
    for record_id in list_due(session):
        if time.monotonic() > deadline:
            break
        verify_record(session, sealer, registry, record_id)
        session.commit()
        done += 1
    return done


def list_due(session: Session) -> Sequence[UUID]:
    """Records whose check is due, the longest waiting first."""
    due = SourceRecord.next_check_at <= now()
    return session.scalars(select(SourceRecord.id).where(due).order_by(SourceRecord.next_check_at).limit(BATCH)).all()


def verify_record(session: Session, sealer: Sealer, registry: IdentityRegistry, record_id: UUID) -> str | None:
    """Ask whether the record's DNI belongs to somebody of its names, and keep the answer.

    `verified` needs both: a number alone is evidence, not identity. An answer that tells nothing is asked for again.
    A record whose DNI is somebody else's leaves its person (`_set_apart`). None for a record without a DNI or with two,
    and when the person changed meanwhile: then the check stays due.
    """
    person = find_by_source_record(session, sealer, record_id)
    if person is None or record_id not in person.records:
        return None
    member = next((one for one in person.members if one.record_id == record_id), None)
    dni = _dni(member.normalised) if member else None
    if member is None or dni is None:
        session.execute(update(SourceRecord).where(SourceRecord.id == record_id).values(next_check_at=None))
        return None
    check = registry.lookup(dni)
    if lock_persons(session, [person.person_id]) != {person.person_id: person.revision}:
        return None
    status = _status(check, member.normalised)
    _keep(session, member, check, status)
    if status == Status.VERIFIED:
        _tell(session, sealer, person, member)
    elif status == NAMES_DIFFER:
        _refute(session, person, member)
    return status


def _dni(record: Normalised) -> Document | None:
    """The record's DNI; None for one that carries several, of which an answer could confirm only one."""
    found = {document for document in record.documents if document.type is DocumentType.DNI}
    return found.pop() if len(found) == 1 else None


def _status(check: IdentityCheck, record: Normalised) -> str:
    """What an answer says of a record; names that name nobody tell nothing, and refute nobody."""
    if check.status is not Status.VERIFIED:
        return check.status.value
    names = check.names
    if names is None:
        return Status.UNVERIFIED.value
    holder = Demographics(
        paternal_surname=names.paternal_surname,
        maternal_surname=names.maternal_surname,
        given_names=names.given_names,
    )
    told = normalise(holder)
    if not told.given or not (told.paternal or told.maternal):
        return Status.UNVERIFIED.value
    return Status.VERIFIED.value if names_agree(record, told) else NAMES_DIFFER


def _keep(session: Session, member: LoadedMember, check: IdentityCheck, status: str) -> None:
    """Write the answer down, and on the record when it is asked for again; the person is held by the caller."""
    session.execute(
        insert(Verification).values(
            id=new_id(),
            source_record_id=member.record_id,
            version=member.version,
            status=status,
            source=check.source,
            checked_at=check.fetched_at,
        )
    )
    waiting = status == Status.UNVERIFIED and check.reason != UNSUPPORTED
    again = now() + RETRY_AFTER if waiting else None
    values = {"next_check_at": again, "verified": status == Status.VERIFIED}
    if status == Status.VERIFIED:
        values["deceased_confirmed"] = check.deceased
    session.execute(update(SourceRecord).where(SourceRecord.id == member.record_id).values(**values))


def _tell(session: Session, sealer: Sealer, person: LoadedPerson, member: LoadedMember) -> None:
    """A verified record changes what is preferred of its person, and may show that two humans were taken for one."""
    session.execute(update(Person).where(Person.id == person.person_id).values(revision=Person.revision + 1))
    audit(
        session,
        Event(
            action="identity:record:verified",
            person_id=person.person_id,
            source_record_id=member.record_id,
            establishment_id=member.establishment_id,
        ),
    )
    key = f"{person.person_id}:{member.record_id}:{member.version}:verified"
    outbox.publish(
        session, CHANGED, key, {"person_id": str(person.person_id), "source_record_id": str(member.record_id)}
    )
    _compare(session, sealer, person, member)


def _compare(session: Session, sealer: Sealer, person: LoadedPerson, member: LoadedMember) -> None:
    """The State's word against the engine's: two humans are parted at once, one in two persons waits for a steward.

    Who told two records apart knowing that the State had confirmed both is not asked about them again.
    """
    arrival = replace(member.member(), verified=True)
    others = [one.member() for one in person.members if one.record_id != member.record_id]
    if any(verified_conflict(arrival, other) for other in others):
        _set_apart(session, person, member, VERIFIED_CONFLICT)
    settled = {member.record_id, *list_rulings(session, member.record_id).checked_apart}
    twins = {
        key
        for key, twin in _persons_verified_with(session, sealer, member).items()
        if key != person.person_id and settled.isdisjoint(one.record_id for one in twin.members)
    }
    if twins:
        ask(session, _question(member, SAME_HOLDER, twins), both=True)


def _refute(session: Session, person: LoadedPerson, member: LoadedMember) -> None:
    """A record whose DNI is somebody else's leaves, unless a steward found that it belongs here all the same.

    One who did not know of the refusal yet is asked again, and the record waits where it is.
    """
    rulings = list_rulings(session, member.record_id)
    if not rulings.hold(one.record_id for one in person.members):
        _set_apart(session, person, member, NAMES_DIFFER)
    elif NAMES_DIFFER not in rulings.known_checks:
        ask(session, _question(member, NAMES_DIFFER, {person.person_id}), both=True)


def _set_apart(session: Session, person: LoadedPerson, member: LoadedMember, reason: str) -> None:
    """Give the record a person of its own and a steward the case; alone in its person it has one already."""
    if person.records == {member.record_id}:
        ask(session, _question(member, reason, ()), both=True)
        return
    home = Home(person.person_id, member.normalised, alone=False, verified=member.verified)
    placement = Placement("review", None, Resolution("review", None, None, reason), same_human=False)
    apply_move(session, Move(member.record_id, member.version, home, placement, model_hash=None))
    ask(session, _question(member, reason, {person.person_id}), both=True)
    audit(
        session,
        Event(
            action="identity:person:unlinked",
            reason=reason,
            person_id=person.person_id,
            source_record_id=member.record_id,
            establishment_id=member.establishment_id,
        ),
    )


def _persons_verified_with(session: Session, sealer: Sealer, member: LoadedMember) -> dict[UUID, LoadedPerson]:
    """Persons with a verified record that carries the member's DNI."""
    dni = {document for document in member.normalised.documents if document.type is DocumentType.DNI}
    tokens = blind_keys(sealer, blocking_keys(normalise(Demographics(documents=tuple(dni)))))
    found = find_persons(session, sealer, tokens)
    return {
        key: person
        for key, person in found.items()
        if any(one.verified and dni & set(one.normalised.documents) for one in person.members)
    }


def _question(member: LoadedMember, reason: str, rivals: Collection[UUID]) -> Question:
    return Question(record_id=member.record_id, version=member.version, rivals=rivals, reason=reason)
