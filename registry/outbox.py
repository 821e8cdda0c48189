"""The transactional outbox: what must happen after a commit is a row of the same commit, relayed at least once."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Index, String, cast, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from registry.database import Base, made_at, new_id, now, table_of
from registry.telemetry import OUTBOX, logger

Payloads = Sequence[Mapping[str, Any]]
Subscriber = Callable[[Session, Payloads], None]
MAX_ATTEMPTS = 12
COUNTED = 10_000
"""Up to so many messages are counted one by one; of more the database's own estimate is told."""

WAITING = f"attempts < {MAX_ATTEMPTS}"
GIVEN_UP = f"attempts >= {MAX_ATTEMPTS}"
FIRST = "topic NOT IN ('identity:record:received', 'identity:person:linked')"
"""What goes before the messages that a file of patients brings by the line: no revocation waits for statistics."""

_subscribers: dict[str, list[Subscriber]] = {}
_log = logger(__name__)


class OutboxMessage(Base):
    """One thing to do after the commit; `payload` holds ids only. It is gone when it is delivered."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_due", "available_at", postgresql_where=text(WAITING)),
        Index("ix_outbox_first", "available_at", postgresql_where=text(f"{WAITING} AND {FIRST}")),
        Index("ix_outbox_given_up", "id", postgresql_where=text(GIVEN_UP)),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    topic: Mapped[str]
    key: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    available_at: Mapped[datetime] = mapped_column(default=now)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]


class _Message(NamedTuple):
    id: UUID
    key: str
    payload: Mapping[str, Any]
    attempts: int


_TABLE = table_of(OutboxMessage)
_LIVE = select(func.pg_stat_get_live_tuples(text("CAST('outbox' AS regclass)")))


def subscriber(topic: str) -> Callable[[Subscriber], Subscriber]:
    """Register a handler of a topic. It is given what several messages say, in their order, and must be idempotent.

    It runs in a savepoint that it shares with the topic's other handlers. Where one raises, fewer messages are tried,
    until one that fails is alone.
    """

    def register(handler: Subscriber) -> Subscriber:
        _subscribers.setdefault(topic, []).append(handler)
        return handler

    return register


def publish(session: Session, topic: str, key: str, payload: Mapping[str, Any]) -> None:
    """Add a message to the caller's transaction: it never waits for another, and is delivered after the commit.

    Of those with one (topic, key) that are delivered together only the newest is told.
    """
    values = {
        "id": new_id(),
        "topic": topic,
        "key": key,
        "payload": dict(payload),
        "attempts": 0,
        "available_at": now(),
    }
    session.execute(insert(OutboxMessage).values(values))


def relay(session: Session, limit: int = 200) -> int:
    """Deliver some due messages, others only where there are none of `FIRST`; returns 0 when nothing is due.

    Rows are locked with SKIP LOCKED, so several relays share the work. What a handler fails on is retried with
    exponential back-off and stays in the table, visible, after MAX_ATTEMPTS.
    """
    due = _claim(session, FIRST, limit) or _claim(session, f"NOT ({FIRST})", limit)
    for topic, messages in due.items():
        _deliver(session, topic, messages)
    return sum(map(len, due.values()))


def _claim(session: Session, which: str, limit: int) -> Mapping[str, Sequence[_Message]]:
    """Messages by topic, each in the order they are due."""
    columns = _TABLE.c
    due = (
        select(columns.topic, columns.id, columns.key, columns.payload, columns.attempts)
        .where(text(WAITING), text(which), columns.available_at <= now())
        .order_by(columns.available_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = defaultdict[str, list[_Message]](list)
    with _by_index(session):
        for topic, *message in session.execute(due):
            found[topic].append(_Message(*message))
    return found


@contextmanager
def _by_index(session: Session) -> Iterator[None]:
    """Read in the index's order: a planner that saw the outbox empty would sort all that a file has brought since."""
    session.execute(text("SET LOCAL enable_sort = off"))
    yield
    session.execute(text("SET LOCAL enable_sort = DEFAULT"))


def _deliver(session: Session, topic: str, messages: Sequence[_Message]) -> None:
    """Of a set that fails the first half is tried, and so on; the others come with the next one: none takes long."""
    said = {message.key: message.payload for message in messages}
    try:
        with session.begin_nested():
            for handler in _subscribers.get(topic, ()):
                handler(session, list(said.values()))
    except Exception as error:  # noqa: BLE001  # one message's failure must not stop the others
        if len(messages) > 1:
            _deliver(session, topic, messages[: len(messages) // 2])
        else:
            _put_off(session, topic, messages[0], error)
    else:
        session.execute(delete(_TABLE).where(_TABLE.c.id.in_([message.id for message in messages])))
        OUTBOX.labels(topic, "delivered").inc(len(messages))


def _put_off(session: Session, topic: str, message: _Message, error: Exception) -> None:
    attempts = message.attempts + 1
    values = {
        "attempts": attempts,
        "available_at": now() + timedelta(seconds=min(2**attempts, 3600)),
        "last_error": type(error).__name__,
    }
    session.execute(update(_TABLE).where(_TABLE.c.id == message.id).values(values))
    OUTBOX.labels(topic, "failed").inc()
    _log.warning("outbox delivery failed", topic=topic, outbox_id=str(message.id), exc_info=error)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not delivered: how many messages, and when the oldest was published (None when there is none)."""

    count: int
    oldest: datetime | None


def backlog(session: Session) -> dict[str, Backlog]:
    """What waits, `waiting` and, apart, `records`: what registered records bring; and what was `given-up`.

    Of many thousands the number is the database's estimate: counting millions would take longer than asking may.
    """
    states = {"waiting": f"{WAITING} AND {FIRST}", "records": f"{WAITING} AND NOT ({FIRST})", "given-up": GIVEN_UP}
    with _by_index(session):
        return {state: _backlog(session, which) for state, which in states.items()}


def _backlog(session: Session, which: str) -> Backlog:
    seen = select(_TABLE.c.id).where(text(which)).order_by(_TABLE.c.available_at).limit(COUNTED + 1).subquery()
    count, oldest = session.execute(select(func.count(), func.min(cast(seen.c.id, String)))).one()
    if count > COUNTED:
        count = max(count, session.scalar(_LIVE) or 0)
    return Backlog(count, made_at(UUID(oldest)) if oldest else None)
