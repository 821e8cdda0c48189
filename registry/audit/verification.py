"""Recomputing the chain of the audit: what was changed, taken away, put in or cut off since, in words.

A segment at a time, so memory holds one segment and what was found wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, all_, literal, select, tuple_
from sqlalchemy.orm import Session

from registry.audit.chain import MARK_BYTES, NO_HEAD, Head, Link, digest
from registry.audit.chaining import LATE, end_of_chain, read_events
from registry.audit.models import AuditEvent, AuditSegment
from registry.audit.service import Position
from registry.database import Database
from registry.sealing import Sealer

STRANGERS = 1000
"""Events that are in no segment are looked for up to this many in the span of each."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the verification saw and found wrong; `segment` is None in the last, about the whole."""

    segment: Head | None
    events: int
    faults: list[str]


class _Before(NamedTuple):
    """What the next segment continues: its hash (as it stands, and as it should be; none after a gap) and its end."""

    number: int
    hashes: list[bytes]
    reached: Position | None = None


@dataclass(slots=True)
class Verification:
    """A walk along the chain, from segment `first` on."""

    database: Database
    sealer: Sealer
    first: int = 1
    _strange: dict[UUID, datetime] = field(default_factory=dict)
    _changed: set[UUID] = field(default_factory=set)

    def steps(self, noted: Head | None = None) -> Iterator[Step]:
        """A step a segment, then one for what only the whole tells: strange events, and the head `noted` elsewhere."""
        before = self._begin()
        while True:
            with self.database.unit_of_work() as session:
                segment = _next(session, before.number)
                if segment is None:
                    break
                faults = _gap(segment.number, before)
                before, found = self._check(session, segment, before._replace(hashes=[]) if faults else before)
            yield Step(Head(segment.number, segment.hash), len(segment.events), faults + found)
        with self.database.unit_of_work() as session:
            yield Step(None, 0, [*self._in_no_segment(session), *_not_in_chain(session, noted)])

    def _begin(self) -> _Before:
        if self.first == 1:
            return _Before(NO_HEAD.number, [NO_HEAD.hash])
        with self.database.unit_of_work() as session:
            former = session.get(AuditSegment, self.first - 1)
        if former is None:
            return _Before(self.first - 2, [])
        return _Before(former.number, [former.hash], _reached(former))

    def _check(self, session: Session, segment: AuditSegment, before: _Before) -> tuple[_Before, list[str]]:
        rows = {row["id"]: row for row in read_events(session, segment.events)}
        events = digest(rows[key] for key in segment.events if key in rows)
        made = Link(segment.number, events, _reached(segment), segment.chained_at)
        hashes = [made.hash(self.sealer, one) for one in before.hashes]
        holds = segment.hash in hashes and segment.marks == events.marks
        faults = [] if holds else list(self._differences(segment, rows, continues=segment.hash in hashes))
        if not faults and not holds and hashes:
            faults = [f"Segment {segment.number} was altered: its hash is not that of its events and what it follows."]
        if before.hashes:
            self._look_around(session, segment, before.reached)
        for key in segment.events:
            self._strange.pop(key, None)
        return _Before(segment.number, [segment.hash, *hashes], _reached(segment)), faults

    def _differences(
        self, segment: AuditSegment, rows: Mapping[UUID, Mapping[str, Any]], *, continues: bool
    ) -> Iterator[str]:
        """Which events are missing or bear another mark; all of them are as they were where the hash says so."""
        if continues or len(segment.marks) != MARK_BYTES * len(segment.events):
            yield f"Segment {segment.number} was altered: its marks are not those of its events."
            return
        for place, key in enumerate(segment.events):
            mark = segment.marks[place * MARK_BYTES : (place + 1) * MARK_BYTES]
            if key not in rows:
                yield f"Event {key}, in segment {segment.number}, is missing."
            elif digest([rows[key]]).marks != mark:
                self._changed.add(key)
                yield f"Event {key}, in segment {segment.number}, was changed."

    def _look_around(self, session: Session, segment: AuditSegment, since: Position | None) -> None:
        """Note events in the segment's span that are not its own: a later one has them, or none."""
        order = tuple_(AuditEvent.recorded_at, AuditEvent.id)
        query = select(AuditEvent.id, AuditEvent.recorded_at).where(
            AuditEvent.recorded_at <= segment.reached_at,
            order <= tuple_(*map(literal, _reached(segment))),
            AuditEvent.id != all_(literal(segment.events, ARRAY(Uuid))),
        )
        if since:
            query = query.where(AuditEvent.recorded_at >= since.recorded_at, order > tuple_(*map(literal, since)))
        found = session.execute(query.limit(STRANGERS))
        self._strange |= {key: moment for key, moment in found if key not in self._changed}

    def _in_no_segment(self, session: Session) -> Iterator[str]:
        """What the chain passed and does not hold, but for what may be late: the next run chains that."""
        chained_at = end_of_chain(session).chained_at
        for key, moment in self._strange.items():
            if chained_at and moment < chained_at - LATE:
                yield f"Event {key} of {moment:%Y-%m-%d %H:%M:%S} is in no segment: it was put in afterwards."


def _next(session: Session, number: int) -> AuditSegment | None:
    query = select(AuditSegment).where(AuditSegment.number > number).order_by(AuditSegment.number).limit(1)
    return session.scalar(query)


def _reached(segment: AuditSegment) -> Position:
    return Position(segment.reached_at, segment.reached_id)


def _gap(number: int, before: _Before) -> list[str]:
    missing = range(before.number + 1, number)
    if len(missing) > 1:
        return [f"Segments {missing[0]} to {missing[-1]} are missing."]
    return [f"Segment {one} is missing." for one in missing]


def _not_in_chain(session: Session, noted: Head | None) -> Iterator[str]:
    found = session.scalar(select(AuditSegment.hash).where(AuditSegment.number == noted.number)) if noted else None
    if noted and found is None:
        yield f"The noted head {noted} is not in the chain: there is no segment {noted.number}."
    elif noted and found != noted.hash:
        yield f"The noted head {noted} is not in the chain: segment {noted.number} bears another hash."
