"""Registering a source record: receive, resolve, link, in one transaction and without races (IHE ITI-104)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from matching.cluster import Member
from registry import outbox
from registry.audit.event import Event
from registry.audit.service import record as audit
from registry.database import now
from registry.errors import DomainError, Unavailable
from registry.identity.agreement import speaks_of_another
from registry.identity.arrivals import Arrival, Registration, receive, store
from registry.identity.candidates import LoadedPerson, find_person_ids, load_persons, lock_persons
from registry.identity.engine import Engine
from registry.identity.membership import Move, apply_move, close_case, open_case
from registry.identity.placement import Home, Placement, place
from registry.identity.records import list_versions
from registry.telemetry import REGISTRATIONS

RECEIVED = "identity:record:received"
ATTEMPTS = 5


class VersionMismatch(DomainError):
    """The record is not at the version the caller expected (RFC 9110 §13.1.1)."""

    code = "version-mismatch"
    status = 412
    fhir_code = "conflict"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a registration; `decision` is link, review, new, keep or unchanged."""

    source_record_id: UUID
    person_id: UUID
    version: int
    received_at: datetime
    decision: str
    created: bool


def register_source_record(session: Session, engine: Engine, registration: Registration) -> Outcome:
    """Keep what a record system says of a patient and decide whose record it is.

    Two simultaneous registrations that could be linked wait for each other before they search, and the search then
    sees what the first committed. The same content again changes nothing. Raises VersionMismatch, Unavailable.
    """
    arrival = receive(session, engine, registration)
    if registration.expected_version not in {None, arrival.version - 1}:
        raise VersionMismatch("The record is not at the version this request was made for; read it again.")
    if arrival.known is not None and arrival.unchanged:
        known = arrival.known
        return _finish(
            session,
            arrival,
            Outcome(known.id, known.person_id, known.version, known.received_at, "unchanged", created=False),
        )
    placement, home = _resolve(session, engine, arrival)
    moment = now()
    store(session, engine, arrival, moment)
    move = Move(arrival.record_id, arrival.version, home, placement, engine.model.hash)
    person_id = _settle(session, move)
    outcome = Outcome(arrival.record_id, person_id, arrival.version, moment, placement.decision, created=home is None)
    return _finish(session, arrival, outcome)


def _resolve(session: Session, engine: Engine, arrival: Arrival) -> tuple[Placement, Home | None]:
    """Place the record, then hold the persons it touches; if one had changed meanwhile, look again."""
    wanted = set(find_person_ids(session, arrival.tokens)) if arrival.tokens else set()
    if arrival.known is not None:
        wanted.add(arrival.known.person_id)
    persons = load_persons(session, engine.sealer, wanted)
    for _ in range(ATTEMPTS):
        home = _home(arrival, persons)
        placement = place(engine.model, arrival.member(), _others(arrival, persons), home)
        touched = {key for key in (placement.person_id, home and home.person_id) if key}
        held = lock_persons(session, touched) if touched else {}
        changed = {key for key, revision in held.items() if persons[key].revision != revision}
        if not changed:
            return _forwarding(session, engine, arrival, placement), home
        kept = {key: person for key, person in persons.items() if key not in changed}
        persons = kept | load_persons(session, engine.sealer, changed)
    raise Unavailable("The records of this person are changing too fast; try again.")


def _forwarding(session: Session, engine: Engine, arrival: Arrival, placement: Placement) -> Placement:
    """Let an emptied person lead to the new one only if its record never spoke of anybody else.

    Who was recognised by an earlier version, and what was consented to then, would otherwise travel to a stranger.
    """
    if arrival.known is None or placement.decision != "link" or not placement.same_human:
        return placement
    former = list_versions(session, engine.sealer, arrival.record_id)
    if not any(speaks_of_another(version, arrival.normalised) for version in former):
        return placement
    return replace(placement, same_human=False)


def _others(arrival: Arrival, persons: Mapping[UUID, LoadedPerson]) -> dict[UUID, list[Member]]:
    return {
        key: [one.member() for one in person.members if one.record_id != arrival.record_id]
        for key, person in persons.items()
    }


def _home(arrival: Arrival, persons: Mapping[UUID, LoadedPerson]) -> Home | None:
    known = arrival.known
    if known is None:
        return None
    members = persons[known.person_id].members
    previous = next((one for one in members if one.record_id == known.id), None)
    return Home(
        known.person_id,
        previous.normalised if previous else arrival.normalised,
        alone=all(one.record_id == known.id for one in members),
        verified=previous is not None and previous.verified,
    )


def _settle(session: Session, move: Move) -> UUID:
    if move.home is not None:
        close_case(session, move.record_id)
    open_case(session, move)
    person_id = apply_move(session, move)
    payload = {"person_id": str(person_id), "source_record_id": str(move.record_id)}
    outbox.publish(session, RECEIVED, f"{move.record_id}:{move.version}", payload)
    return person_id


def _finish(session: Session, arrival: Arrival, outcome: Outcome) -> Outcome:
    """Account for the registration, and for the link where one was made."""
    registration = arrival.registration
    moved = arrival.known is None or outcome.person_id != arrival.known.person_id
    actions = [RECEIVED, *(["identity:person:linked"] if moved else [])]
    for action in actions:
        audit(
            session,
            Event(
                action=action,
                person_id=outcome.person_id,
                source_record_id=outcome.source_record_id,
                establishment_id=registration.establishment_id,
                client_id=registration.client_id,
                token_id=registration.token_id,
                detail={"decision": outcome.decision, "version": outcome.version},
            ),
        )
    REGISTRATIONS.labels(outcome.decision).inc()
    return outcome
