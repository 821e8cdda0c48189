"""A record system says that one of its records is a duplicate of another (IHE PIXm ITI-104, resolve duplicate)."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from matching.cluster import Resolution
from matching.score import score
from registry.database import now
from registry.errors import NotFound, Unavailable, Unprocessable
from registry.identity.agreement import documents_contradict, names_contradict
from registry.identity.arrivals import Arrival, Registration, receive, store
from registry.identity.candidates import LoadedMember, LoadedPerson, load_persons, lock_persons
from registry.identity.engine import Engine
from registry.identity.models import Membership
from registry.identity.placement import Home, Placement
from registry.identity.plans import conflicting
from registry.identity.records import OwnRecord, find_own_id, find_own_record
from registry.identity.registration import (
    ATTEMPTS,
    Outcome,
    Resolved,
    VersionMismatch,
    finish,
    forwarding,
    settle,
)
from registry.identity.rulings import list_rulings

CLAIMED = "claimed-duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """The claim: the local number of the duplicate, and the record that stands for it, both of one establishment."""

    establishment_id: UUID
    client_id: str
    local_number: str
    survivor_id: UUID
    token_id: str | None = None
    expected_version: int | None = None
    both_stand: bool = False
    """The two are one human's, and both stay in use (HL7 v2 ADT^A24)."""


def resolve_duplicate(session: Session, engine: Engine, duplicate: Duplicate) -> Outcome:
    """Keep the duplicate as inactive and replaced, and put it with the person of the record that stands for it.

    What the duplicate said is kept. Where the two contradict each other it stays where it is, and a steward is asked:
    an establishment's claim is evidence. With `both_stand` it stays in use, and only goes to the other's person.
    Raises NotFound for an unknown number, Unprocessable (`survivor-unknown` for
    one that is not there or another's, `survivor-replaced`, `survivor-is-the-duplicate`, `verified-conflict`),
    VersionMismatch, Unavailable.
    """
    survivor = _survivor(session, engine, duplicate)
    for _ in range(ATTEMPTS):
        look = session.begin_nested()
        own = _own(session, engine, duplicate)
        arrival = receive(session, engine, _registration(duplicate, own))
        resolved = _judge(session, engine, arrival, own, survivor) if _is_current(arrival, own) else None
        if resolved is not None:
            look.commit()
            return _keep(session, engine, duplicate, resolved)
        look.rollback()
    raise Unavailable("These records are changing too fast; try again.")


def _survivor(session: Session, engine: Engine, duplicate: Duplicate) -> OwnRecord:
    found = find_own_record(session, engine.sealer, duplicate.establishment_id, duplicate.survivor_id)
    if found is None:
        raise Unprocessable("Your establishment has no such record to stand for this one.", code="survivor-unknown")
    if found.member.replaced_by is not None:
        raise Unprocessable("The record that shall stand for this one is a duplicate itself.", code="survivor-replaced")
    return found


def _own(session: Session, engine: Engine, duplicate: Duplicate) -> OwnRecord:
    record_id = find_own_id(session, engine.sealer, duplicate.establishment_id, duplicate.local_number)
    own = find_own_record(session, engine.sealer, duplicate.establishment_id, record_id) if record_id else None
    if own is None:
        raise NotFound("There is no record of that number to resolve.", code="unknown-record")
    if own.member.record_id == duplicate.survivor_id:
        raise Unprocessable("A record does not stand for itself.", code="survivor-is-the-duplicate")
    return own


def _registration(duplicate: Duplicate, own: OwnRecord) -> Registration:
    return Registration(
        establishment_id=duplicate.establishment_id,
        client_id=duplicate.client_id,
        content=own.member.content,
        active=own.member.active and duplicate.both_stand,
        replaced_by=own.member.replaced_by if duplicate.both_stand else duplicate.survivor_id,
        token_id=duplicate.token_id,
        expected_version=duplicate.expected_version,
    )


def _is_current(arrival: Arrival, own: OwnRecord) -> bool:
    return arrival.known is not None and arrival.known.version == own.member.version


def _judge(session: Session, engine: Engine, arrival: Arrival, own: OwnRecord, survivor: OwnRecord) -> Resolved | None:
    """Where the duplicate goes, with both persons held; None when one of the two moved meanwhile."""
    homes = _homes(session, own, survivor)
    lock_persons(session, set(homes))
    if _homes(session, own, survivor) != homes:
        return None
    persons = load_persons(session, engine.sealer, set(homes))
    mine, theirs = persons[homes[0]], persons[homes[1]]
    home = Home(
        mine.person_id,
        own.member.normalised,
        alone=mine.records == {own.member.record_id},
        verified=own.member.verified,
    )
    placement = _place(session, engine, own.member, survivor.member, (mine, theirs))
    return Resolved(arrival, forwarding(session, engine, arrival, placement), home)


def _homes(session: Session, own: OwnRecord, survivor: OwnRecord) -> tuple[UUID, UUID]:
    query = select(Membership.source_record_id, Membership.person_id).where(
        Membership.source_record_id.in_([own.member.record_id, survivor.member.record_id])
    )
    found = {row.source_record_id: row.person_id for row in session.execute(query)}
    return found[own.member.record_id], found[survivor.member.record_id]


def _place(
    session: Session,
    engine: Engine,
    duplicate: LoadedMember,
    survivor: LoadedMember,
    persons: tuple[LoadedPerson, LoadedPerson],
) -> Placement:
    """Stewards first, then the State, then what the two records say of each other."""
    home, target = persons
    stay = Placement("keep", home.person_id, Resolution("link", home.person_id, None, CLAIMED))
    if home.person_id == target.person_id:
        return stay
    rulings = list_rulings(session, duplicate.record_id)
    if rulings.bar(target.records) or rulings.hold(home.records - {duplicate.record_id}):
        return stay
    if conflicting([duplicate.member()], [one.member() for one in target.members]):
        raise Unprocessable("RENIEC confirmed two different DNIs here: these are two people.", code="verified-conflict")
    one, other = duplicate.normalised, survivor.normalised
    evidence = score(engine.model, one, other)
    if documents_contradict(one, other) or names_contradict(one, other):
        return Placement("review", home.person_id, Resolution("review", target.person_id, evidence, CLAIMED))
    return Placement("link", target.person_id, Resolution("link", target.person_id, evidence, CLAIMED))


def _keep(session: Session, engine: Engine, duplicate: Duplicate, resolved: Resolved) -> Outcome:
    arrival = resolved.arrival
    known = arrival.known
    if duplicate.expected_version not in {None, arrival.version - 1}:
        raise VersionMismatch("The record is not at the version this request was made for; read it again.")
    stays = resolved.placement.decision == "keep" or not duplicate.both_stand
    if known is not None and arrival.unchanged and stays:
        outcome = Outcome(known.id, known.person_id, known.version, known.received_at, "unchanged", created=False)
        return finish(session, arrival, outcome)
    moment = now()
    store(session, engine, arrival, moment)
    person_id = settle(session, resolved, engine.model.hash)
    decision = resolved.placement.decision
    outcome = Outcome(arrival.record_id, person_id, arrival.version, moment, decision, created=False)
    return finish(session, arrival, outcome)
