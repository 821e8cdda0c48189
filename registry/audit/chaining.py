"""Putting audit events into segments, beside the requests that write them: each hash continues the one before."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, func, insert, literal, select, text, tuple_
from sqlalchemy.orm import Session

from registry.audit.chain import NO_HEAD, Head, Link, digest
from registry.audit.models import AuditEvent, AuditSegment
from registry.audit.service import Position
from registry.database import now, table_of, take_free_turn
from registry.sealing import Sealer
from registry.telemetry import logger

CHAIN_EVERY = timedelta(minutes=1)
CHAIN_LATE_EVERY = timedelta(minutes=15)
"""Seldom, since it reads the ids of an hour: few events are late, and meanwhile they are as events of now are."""

SETTLED = timedelta(minutes=1)
"""How old an event is when it is chained: nearly every transaction is over by then, so that few are late."""

SEGMENT = 5000
"""Events of one segment at most: a second's work, and some megabytes of memory."""

LATE = timedelta(hours=1)
"""How long after its moment an event may be committed: transactions last minutes at most, and clocks differ less."""

TURN_SECONDS = 20.0
PATIENCE = text("SET LOCAL statement_timeout = '240s'")
"""Looking for late events compares the ids of an hour: it may take longer than what a request waits for."""

_EVENTS = table_of(AuditEvent)
_SEGMENTS = table_of(AuditSegment)
_ORDER = tuple_(_EVENTS.c.recorded_at, _EVENTS.c.id)
_log = logger(__name__)


Row = dict[str, Any]
"""An event as it is read: every column by its name."""


class Last(NamedTuple):
    """The end of the chain; `reached` and `chained_at` are None while there is none."""

    head: Head
    reached: Position | None = None
    chained_at: datetime | None = None


Finder = Callable[[Session, Last], list[Row]]


def end_of_chain(session: Session) -> Last:
    """The last segment, without its events."""
    columns = (_SEGMENTS.c[name] for name in ("number", "hash", "reached_at", "reached_id", "chained_at"))
    row = session.execute(select(*columns).order_by(_SEGMENTS.c.number.desc()).limit(1)).one_or_none()
    if row is None:
        return Last(NO_HEAD)
    return Last(Head(row.number, row.hash), Position(row.reached_at, row.reached_id), row.chained_at)


def chain_events(session: Session, sealer: Sealer) -> int:
    """Put events newer than the chain into segments, the oldest first, for a turn; returns how many.

    After a stop it looks for late ones before it goes on: once the chain has grown they may be too old to be found.
    """
    stopped_at = end_of_chain(session).chained_at
    late = chain_late_events(session, sealer) if stopped_at and stopped_at < now() - CHAIN_LATE_EVERY else 0
    return late + _chain_all(session, sealer, _find_new)


def chain_late_events(session: Session, sealer: Sealer) -> int:
    """Put events that were committed after the chain had passed their moment into segments; returns how many."""
    return _chain_all(session, sealer, _find_late)


def oldest_waiting(session: Session, last: Last) -> datetime | None:
    """The moment of the oldest event that is newer than the chain."""
    query = select(_EVENTS.c.recorded_at).order_by(_EVENTS.c.recorded_at, _EVENTS.c.id).limit(1)
    return session.scalar(query.where(_newer(last.reached)) if last.reached else query)


def read_events(session: Session, ids: Sequence[UUID]) -> list[Row]:
    """These events, all columns, oldest first; no entry for one that is not there."""
    named = _EVENTS.c.id == any_(literal(list(ids), ARRAY(Uuid)))
    return _rows(session, select(_EVENTS).where(named).order_by(*_ORDER))


def _chain_all(session: Session, sealer: Sealer, find: Finder) -> int:
    deadline, done, added = time.monotonic() + TURN_SECONDS, 0, SEGMENT
    while added == SEGMENT and time.monotonic() < deadline:
        added = _chain(session, sealer, find)
        done += added
    return done


def _chain(session: Session, sealer: Sealer, find: Finder) -> int:
    """One segment more, unless somebody else is adding one."""
    if not take_free_turn(session, b"audit-chain"):
        return 0
    last = end_of_chain(session)
    events = find(session, last)
    head = _append(session, sealer, last, events) if events else None
    session.commit()
    if head:
        _log.info("audit chained", segment=head.number, head=head.words, count=len(events))
    return len(events)


def _append(session: Session, sealer: Sealer, last: Last, events: list[Row]) -> Head:
    newest = Position(events[-1]["recorded_at"], events[-1]["id"])
    reached = max(newest, last.reached) if last.reached else newest
    one = Link(last.head.number + 1, digest(events), reached, now())
    head = Head(one.number, one.hash(sealer, last.head.hash))
    row = {
        "number": head.number,
        "hash": head.hash,
        "events": [event["id"] for event in events],
        "marks": one.events.marks,
        "reached_at": reached.recorded_at,
        "reached_id": reached.id,
        "chained_at": one.chained_at,
    }
    session.execute(insert(_SEGMENTS).values(row))
    return head


def _find_new(session: Session, last: Last) -> list[Row]:
    """The oldest events newer than the chain; one whose clock is ahead waits until its moment has come."""
    query = select(_EVENTS).where(_EVENTS.c.recorded_at <= now() - SETTLED).order_by(*_ORDER).limit(SEGMENT)
    return _rows(session, query.where(_newer(last.reached)) if last.reached else query)


def _find_late(session: Session, last: Last) -> list[Row]:
    """Events the chain passed before they were committed: since LATE before it last grew, and in no segment."""
    if last.reached is None or last.chained_at is None or last.reached.recorded_at < last.chained_at - LATE:
        return []
    since, until = last.chained_at - LATE, last.reached.recorded_at
    passed = select(_EVENTS.c.id).where(_EVENTS.c.recorded_at.between(since, until), ~_newer(last.reached))
    chained = select(func.unnest(_SEGMENTS.c.events)).where(_SEGMENTS.c.reached_at >= since)
    late = passed.except_(chained).cte("late").prefix_with("MATERIALIZED")  # else the limit tempts it to read all
    session.execute(PATIENCE)
    ids = session.scalars(select(late.c.id).limit(SEGMENT)).all()
    return read_events(session, ids) if ids else []


def _rows(session: Session, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in session.execute(query).mappings()]


def _newer(reached: Position) -> ColumnElement[bool]:
    return tuple_(*map(literal, reached)) < _ORDER
