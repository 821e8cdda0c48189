"""Moving a source record into a person by the engine: the events and their projection."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, insert, update
from sqlalchemy.orm import Session

from matching.score import Score
from registry.database import new_id, now
from registry.identity.events import EventKind
from registry.identity.models import membership_events, memberships, persons
from registry.identity.notices import MERGED, UNLINKED, tell
from registry.identity.placement import Home, Placement

ENGINE = "engine"

REGROUP = update(persons).where(persons.c.id.in_(bindparam("persons", expanding=True)))
ADD_EVENTS = insert(membership_events)
ADD_MEMBERSHIP = insert(memberships)
MOVE_MEMBERSHIP = update(memberships).where(memberships.c.source_record_id == bindparam("record_id"))
ADD_PERSON = insert(persons)
REVISE_PERSON = update(persons).where(persons.c.id == bindparam("held_id")).values(revision=persons.c.revision + 1)


@dataclass(frozen=True, slots=True)
class Move:
    """A record, where it was (None for an unseen one), where it was placed, and the model that did, if any.

    `told` when the caller tells whoever is concerned, once for all the records of a change.
    """

    record_id: UUID
    version: int
    home: Home | None
    placement: Placement
    model_hash: str | None
    told: bool = False


def apply_move(session: Session, move: Move) -> UUID:
    """Write what the placement decided and return the record's person; a record that stays writes no event."""
    home, target = move.home, move.placement.person_id
    if home is not None and target == home.person_id:
        session.execute(REVISE_PERSON, {"held_id": target})
        return home.person_id
    person_id = _arrive(session, target)
    session.execute(ADD_EVENTS, _events(move, person_id))
    if home is None:
        membership = {"source_record_id": move.record_id, "person_id": person_id, "since": now()}
        session.execute(ADD_MEMBERSHIP, membership)
        return person_id
    session.execute(MOVE_MEMBERSHIP, {"record_id": move.record_id, "person_id": person_id, "since": now()})
    successor = _successor(move)
    _leave(session, home, successor)
    if successor is not None:
        session.execute(REGROUP, {"persons": [home.person_id, successor], "regrouped_at": now()})
    topic, key = MERGED if successor else UNLINKED, f"{move.record_id}:{move.version}"
    if not move.told:
        tell(session, topic, key, persons=(home.person_id, person_id), records=[move.record_id])
    return person_id


def contributions_of(score: Score) -> list[list[str | float]]:
    """Field, level and weight of each part of a score; no value of any record."""
    return [[part.field, part.level, round(part.weight, 3)] for part in score.contributions]


def _arrive(session: Session, target: UUID | None) -> UUID:
    if target is None:
        person_id = new_id()
        session.execute(ADD_PERSON, {"id": person_id, "status": "active", "revision": 1, "created_at": now()})
        return person_id
    session.execute(REVISE_PERSON, {"held_id": target})
    return target


def _leave(session: Session, home: Home, successor: UUID | None) -> None:
    """The person left behind: smaller, empty, or replaced by where its last record of the same human went."""
    status = "active" if not home.alone else "replaced" if successor else "empty"
    session.execute(REVISE_PERSON, {"held_id": home.person_id, "status": status, "replaced_by": successor})


def _successor(move: Move) -> UUID | None:
    placement = move.placement
    emptied = move.home is not None and move.home.alone
    return placement.person_id if emptied and placement.same_human else None


def _events(move: Move, person_id: UUID) -> list[dict[str, Any]]:
    placement, home, moment = move.placement, move.home, now()
    resolution = placement.resolution
    score = resolution.score if placement.decision == "link" else None
    events = [_event(move, EventKind.LINKED, person_id, score=score)]
    if home is not None:
        events.insert(0, _event(move, EventKind.UNLINKED, home.person_id))
        if _successor(move):
            events.append(_event(move, EventKind.MERGED, home.person_id, other=person_id))
    return [event | {"at": moment} for event in events]


def _event(
    move: Move, kind: EventKind, person_id: UUID, *, other: UUID | None = None, score: Score | None = None
) -> dict[str, Any]:
    return {
        "kind": kind.value,
        "person_id": person_id,
        "source_record_id": move.record_id,
        "other_person_id": other,
        "actor": ENGINE,
        "reason": move.placement.resolution.reason,
        "model_hash": move.model_hash,
        "weight": score.weight_bits if score else None,
        "contributions": contributions_of(score) if score else None,
    }
