"""Queueing text messages and seeing them through; no transaction is open while the gateway is asked."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from registry.database import new_id, now, session
from registry.messages.models import TextMessage
from registry.messages.port import Letter, NotSent, SmsGateway
from registry.sealing import Sealer

Composer = Callable[[Session, Sealer, UUID], Letter | None]
LENT = timedelta(seconds=60)
LONGEST_WAIT = 600
KEPT = timedelta(days=30)
BATCH = 20
DELIVER_EVERY = timedelta(seconds=2)
PURGE_EVERY = timedelta(hours=6)
MESSAGES = Counter("renhice_text_messages_total", "Text messages by kind and what became of them", ["kind", "outcome"])
_composers: dict[str, Composer] = {}


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message lent to a sender; None in `letter` when there is nothing to send."""

    message_id: UUID
    kind: str
    letter: Letter | None


def composer(kind: str) -> Callable[[Composer], Composer]:
    """Register who writes the messages of a kind: number and words, or None when there is nothing to say any more."""

    def register(write: Composer) -> Composer:
        _composers[kind] = write
        return write

    return register


def queue_text(session: Session, kind: str, subject_id: UUID, expires_at: datetime) -> None:
    """Tell a person something, in the caller's transaction; about one subject once, and not after `expires_at`."""
    moment = now()
    values = {"id": new_id(), "kind": kind, "subject_id": subject_id, "expires_at": expires_at, "attempts": 0}
    statement = insert(TextMessage).values(**values, queued_at=moment, available_at=moment)
    session.execute(statement.on_conflict_do_nothing(index_elements=["kind", "subject_id"]))


def find_outcome(session: Session, kind: str, subject_id: UUID) -> str | None:
    """What became of a message; None while it is on its way, or was never queued."""
    query = select(TextMessage.outcome).where(TextMessage.kind == kind, TextMessage.subject_id == subject_id)
    return session.scalar(query)


def deliver_texts(sealer: Sealer, gateway: SmsGateway) -> None:
    """Send what is due, batch after batch; one that can't be sent waits longer each time, until it expires."""
    while parcels := _lend_due(session(), sealer):
        session().commit()
        for parcel in parcels:
            _settle(session(), parcel, _send(gateway, parcel))
        session().commit()


def purge_texts() -> None:
    """Forget messages thirty days after their end; the acts they told of stay."""
    session().execute(delete(TextMessage).where(TextMessage.ended_at < now() - KEPT))


def _lend_due(session: Session, sealer: Sealer) -> list[Parcel]:
    due = (
        select(TextMessage.id)
        .where(TextMessage.ended_at.is_(None), TextMessage.available_at <= now())
        .order_by(TextMessage.available_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    lend = (
        update(TextMessage)
        .where(TextMessage.id.in_(due.scalar_subquery()))
        .values(attempts=TextMessage.attempts + 1, available_at=now() + LENT)
        .returning(TextMessage)
    )
    lent = session.scalars(lend, execution_options={"synchronize_session": False}).all()
    return [Parcel(one.id, one.kind, _compose(session, sealer, one)) for one in lent]


def _compose(session: Session, sealer: Sealer, message: TextMessage) -> Letter | None:
    return _composers[message.kind](session, sealer, message.subject_id) if message.expires_at > now() else None


def _send(gateway: SmsGateway, parcel: Parcel) -> str | None:
    """What became of it; None when it is to be tried again."""
    if parcel.letter is None:
        return "unwritable"
    try:
        gateway.send(str(parcel.message_id), parcel.letter)
    except NotSent as error:
        return "refused" if error.final else None
    return "sent"


def _settle(session: Session, parcel: Parcel, outcome: str | None) -> None:
    row = session.get_one(TextMessage, parcel.message_id, populate_existing=True)
    MESSAGES.labels(parcel.kind, outcome or "failed").inc()
    if outcome is None:
        row.available_at = now() + timedelta(seconds=min(2**row.attempts, LONGEST_WAIT))
        return
    row.ended_at, row.outcome = now(), outcome
