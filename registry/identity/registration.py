"""Registering a source record: receive, resolve, link, in one transaction and without races (IHE ITI-104)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from registry import outbox
from registry.audit.event import Event
from registry.audit.service import record as audit
from registry.database import now
from registry.errors import DomainError, Unavailable
from registry.identity.agreement import speaks_of_another
from registry.identity.arrivals import Arrival, Known, Registration, confirm, look_again, receive, store
from registry.identity.candidates import LoadedPerson, find_likely, lock_persons
from registry.identity.cases import keep_case
from registry.identity.contests import settle_contests
from registry.identity.engine import Engine
from registry.identity.membership import Move, apply_move
from registry.identity.placement import Home, Placement, place
from registry.identity.records import list_versions
from registry.identity.rulings import NONE, lapse, list_rulings, same_identity
from registry.telemetry import REGISTRATIONS

RECEIVED = "identity:record:received"
LINKED = "identity:person:linked"
STALE = "stale"
"""The decision about what says less recent things than what is kept: nothing changes."""

ATTEMPTS = 5


class VersionMismatch(DomainError):
    """The record is not at the version the caller expected (RFC 9110 §13.1.1)."""

    code = "version-mismatch"
    status = 412
    fhir_code = "conflict"


class StillReplaced(DomainError):
    """The record was said to be a duplicate, and the registry does not let a feed take that back (IHE PMIR ITI-93)."""

    code = "unmerge-not-allowed"
    status = 405
    fhir_code = "not-supported"
    allow = "GET, DELETE"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a registration; `decision` is link, review, new, keep, unchanged or stale."""

    source_record_id: UUID
    person_id: UUID
    version: int
    received_at: datetime
    decision: str
    created: bool


def register_source_record(session: Session, engine: Engine, registration: Registration) -> Outcome:
    """Keep what a record system says of a patient and decide whose record it is.

    Two simultaneous registrations that could be linked wait for each other before they search, and the search then
    sees what the first committed. The same content again changes nothing, nor does an older word than the one kept.
    Raises VersionMismatch, Unavailable, StillReplaced.
    """
    arrival = receive(session, engine, registration)
    if registration.expected_version not in {None, arrival.version - 1}:
        raise VersionMismatch("The record is not at the version this request was made for; read it again.")
    if arrival.known is not None and arrival.known.replaced_by and not engine.unmerge_by_feed:
        require_still_replaced(arrival)
    if arrival.known is not None and (arrival.unchanged or arrival.stale):
        confirm(session, arrival)
        return finish(session, arrival, _as_it_is(arrival.known, "unchanged" if arrival.unchanged else STALE))
    resolved = _resolve(session, engine, arrival)
    moment = now()
    store(session, engine, resolved.arrival, moment)
    person_id = settle(session, resolved, engine.model.hash)
    decision, created = resolved.placement.decision, resolved.home is None
    outcome = Outcome(arrival.record_id, person_id, arrival.version, moment, decision, created=created)
    return finish(session, resolved.arrival, outcome)


def _as_it_is(known: Known, decision: str) -> Outcome:
    return Outcome(known.id, known.person_id, known.version, known.received_at, decision, created=False)


def require_still_replaced(arrival: Arrival) -> None:
    """Raise StillReplaced for a version that says no more that another record stands for this one."""
    if arrival.registration.replaced_by is None:
        raise StillReplaced(
            "This record was replaced by another one of your establishment.",
            hint="Revise the record that replaced it, or ask the registry's stewards to take it back.",
        )


@dataclass(frozen=True, slots=True)
class Resolved:
    """An arrival as it was judged in the end: where it was, where it goes, with the persons concerned held."""

    arrival: Arrival
    placement: Placement
    home: Home | None

    @property
    def says_otherwise(self) -> bool:
        """Whether a known record now says something else of who its patient is."""
        return self.home is not None and not same_identity(self.home.previous, self.arrival.normalised)


def _resolve(session: Session, engine: Engine, arrival: Arrival) -> Resolved:
    """Place the record and hold the persons it touches; if one had changed meanwhile, search and judge again.

    The first look is taken without holding anybody; a later one holds, before it looks, whom the earlier ones touched.
    What was held is let go between two looks, so that everybody always holds persons in one order.
    """
    wanted: set[UUID] = set()
    for _ in range(ATTEMPTS):
        look = session.begin_nested()
        if wanted:
            lock_persons(session, wanted)
        persons = _search(session, engine, arrival)
        if _is_where_it_was(arrival, persons):
            placement, home = _judge(session, engine, arrival, persons)
            touched = {key for key in (placement.person_id, home and home.person_id) if key}
            if touched <= wanted or (not wanted and _hold(session, persons, touched)):
                look.commit()
                return Resolved(arrival, forwarding(session, engine, arrival, placement), home)
            wanted |= touched
        look.rollback()
        arrival = look_again(session, arrival)
    raise Unavailable("The records of this person are changing too fast; try again.")


def _judge(
    session: Session, engine: Engine, arrival: Arrival, persons: Mapping[UUID, LoadedPerson]
) -> tuple[Placement, Home | None]:
    """The placement among those persons; what stewards ruled about the record counts while it says the same."""
    others = {
        key: [one for one in person.members if one.record_id != arrival.record_id] for key, person in persons.items()
    }
    home = _home(arrival, persons)
    rulings = NONE
    if home is not None and same_identity(home.previous, arrival.normalised):
        rulings = list_rulings(session, arrival.record_id)
        home = replace(home, held=rulings.hold(one.record_id for one in others[home.person_id]))
    barred = [key for key, members in others.items() if rulings.bar(one.record_id for one in members)]
    members = {key: [one.member() for one in found] for key, found in others.items()}
    return place(engine.model, arrival.member(), members, home, barred), home


def _search(session: Session, engine: Engine, arrival: Arrival) -> dict[UUID, LoadedPerson]:
    known = arrival.known.id if arrival.known else None
    return find_likely(session, engine, arrival.normalised, arrival.tokens, known)


def _is_where_it_was(arrival: Arrival, persons: Mapping[UUID, LoadedPerson]) -> bool:
    """Whether a known record still is where it was read from: a steward, or a check, may have moved it since."""
    known = arrival.known
    return known is None or (known.person_id in persons and known.id in persons[known.person_id].records)


def _hold(session: Session, persons: Mapping[UUID, LoadedPerson], touched: Collection[UUID]) -> bool:
    """Hold the persons a placement touches; False when one is not any more what was judged."""
    held = lock_persons(session, touched)
    return all(key in persons and persons[key].revision == revision for key, revision in held.items())


def forwarding(session: Session, engine: Engine, arrival: Arrival, placement: Placement) -> Placement:
    """Let an emptied person lead to the new one only if its record never spoke of anybody else.

    Who was recognised by an earlier version, and what was consented to then, would otherwise travel to a stranger.
    """
    if arrival.known is None or placement.decision != "link" or not placement.same_human:
        return placement
    former = list_versions(session, engine.sealer, arrival.record_id)
    if not any(speaks_of_another(version, arrival.normalised) for version in former):
        return placement
    return replace(placement, same_human=False)


def _home(arrival: Arrival, persons: Mapping[UUID, LoadedPerson]) -> Home | None:
    known = arrival.known
    if known is None:
        return None
    members = persons[known.person_id].members
    previous = next((one for one in members if one.record_id == known.id), None)
    return Home(
        known.person_id,
        previous.normalised if previous else arrival.normalised,
        alone=persons[known.person_id].records == {known.id},
        verified=previous is not None and previous.verified,
    )


def settle(session: Session, resolved: Resolved, model_hash: str) -> UUID:
    """Move the record where it was placed and see to its rulings, claims and case; returns its person."""
    arrival = resolved.arrival
    move = Move(arrival.record_id, arrival.version, resolved.home, resolved.placement, model_hash)
    if resolved.says_otherwise:
        lapse(session, move.record_id)
    person_id = apply_move(session, move)
    if resolved.home is not None and resolved.home.person_id != person_id:
        settle_contests(session, [move.record_id])
    keep_case(session, move)
    payload = {"person_id": str(person_id), "source_record_id": str(move.record_id)}
    outbox.publish(session, RECEIVED, f"{move.record_id}:{move.version}", payload)
    if resolved.home is None and resolved.placement.decision == "link":
        outbox.publish(session, LINKED, f"{move.record_id}:{move.version}", payload)
    return person_id


def finish(session: Session, arrival: Arrival, outcome: Outcome) -> Outcome:
    """Account for the registration, and for the link where one was made."""
    registration = arrival.registration
    moved = arrival.known is None or outcome.person_id != arrival.known.person_id
    actions = [RECEIVED, *([LINKED] if moved else [])]
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
