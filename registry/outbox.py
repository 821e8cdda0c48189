"""The transactional outbox: what must happen after a commit is a row of the same commit, relayed at least once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Index, String, UniqueConstraint, cast, delete, func, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from registry.database import Base, made_at, new_id, now
from registry.telemetry import OUTBOX, logger

Subscriber = Callable[[Session, Mapping[str, Any]], None]
MAX_ATTEMPTS = 12
KEPT_AFTER_DELIVERY = timedelta(days=7)
"""How long a delivered message stays, so that an operator can see it and the same key makes no second one."""

FIRST = "topic NOT IN ('identity:record:received', 'identity:person:linked')"
"""What goes before the messages that a file of patients brings by the line: no revocation waits for statistics."""

_subscribers: dict[str, list[Subscriber]] = {}
_log = logger(__name__)


class OutboxMessage(Base):
    """One thing to do after the commit; `payload` holds ids only."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("topic", "key"),
        Index("ix_outbox_due", "available_at", postgresql_where=text("delivered_at IS NULL")),
        Index("ix_outbox_first", "available_at", postgresql_where=text(f"delivered_at IS NULL AND {FIRST}")),
        Index("ix_outbox_delivered", "delivered_at", postgresql_where=text("delivered_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    topic: Mapped[str]
    key: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    available_at: Mapped[datetime] = mapped_column(default=now)
    attempts: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None]
    last_error: Mapped[str | None]


def subscriber(topic: str) -> Callable[[Subscriber], Subscriber]:
    """Register a handler of a topic; it runs in its own transaction and must be idempotent."""

    def register(handler: Subscriber) -> Subscriber:
        _subscribers.setdefault(topic, []).append(handler)
        return handler

    return register


def publish(session: Session, topic: str, key: str, payload: Mapping[str, Any]) -> None:
    """Add a message to the caller's transaction; the same (topic, key) twice is one message."""
    values = {
        "id": new_id(),
        "topic": topic,
        "key": key,
        "payload": dict(payload),
        "attempts": 0,
        "available_at": now(),
    }
    session.execute(insert(OutboxMessage).values(values).on_conflict_do_nothing(index_elements=["topic", "key"]))


def relay(session: Session, limit: int = 100) -> int:
    """Deliver due messages, each in a savepoint, those of `FIRST` before the others; returns how many were tried.

    Rows are locked with SKIP LOCKED, so several relays share the work. A failing handler is retried with exponential
    back-off and stays in the table, visible, after MAX_ATTEMPTS.
    """
    messages = _due(session, FIRST, limit)
    messages += _due(session, f"NOT ({FIRST})", limit - len(messages))
    for message in messages:
        _deliver(session, message)
    return len(messages)


def _due(session: Session, which: str, limit: int) -> list[OutboxMessage]:
    due = (
        select(OutboxMessage)
        .where(OutboxMessage.delivered_at.is_(None), OutboxMessage.available_at <= now(), text(which))
        .where(OutboxMessage.attempts < MAX_ATTEMPTS)
        .order_by(OutboxMessage.available_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.scalars(due))


def purge(session: Session, limit: int = 1000) -> int:
    """Delete messages delivered longer than KEPT_AFTER_DELIVERY ago; returns how many."""
    over = select(OutboxMessage.id).where(OutboxMessage.delivered_at < now() - KEPT_AFTER_DELIVERY).limit(limit)
    gone = delete(OutboxMessage).where(OutboxMessage.id.in_(over)).returning(OutboxMessage.id)
    return len(session.scalars(gone, execution_options={"synchronize_session": False}).all())


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is not delivered: how many messages, and when the oldest was published (None when there is none)."""

    count: int
    oldest: datetime | None


def backlog(session: Session) -> dict[str, Backlog]:
    """The messages that wait, and those given up after MAX_ATTEMPTS: `waiting` and `given-up`."""
    given_up = OutboxMessage.attempts >= MAX_ATTEMPTS
    query = (
        select(given_up, func.count(), func.min(cast(OutboxMessage.id, String)))
        .where(OutboxMessage.delivered_at.is_(None))
        .group_by(given_up)
    )
    found = {stuck: Backlog(count, made_at(UUID(oldest))) for stuck, count, oldest in session.execute(query)}
    nothing = Backlog(0, None)
    return {"waiting": found.get(False, nothing), "given-up": found.get(True, nothing)}


def _deliver(session: Session, message: OutboxMessage) -> None:
    message.attempts += 1
    try:
        with session.begin_nested():
            for handler in _subscribers.get(message.topic, ()):
                handler(session, message.payload)
    except Exception as error:  # noqa: BLE001  # one handler's failure must not stop the others' messages
        message.last_error = type(error).__name__
        message.available_at = now() + timedelta(seconds=min(2**message.attempts, 3600))
        OUTBOX.labels(message.topic, "failed").inc()
        _log.warning("outbox delivery failed", topic=message.topic, outbox_id=str(message.id), exc_info=error)
    else:
        message.delivered_at = now()
        OUTBOX.labels(message.topic, "delivered").inc()
