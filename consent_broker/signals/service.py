"""Raising signals and seeing them through: due ones are lent to a sender, delivered, retried, or given up in sight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, any_, delete, exists, func, insert, literal, select, update
from sqlalchemy.orm import Session, aliased

from consent_broker.signals.models import Signal, Subscription, SubscriptionVersion
from registry.database import new_id, now
from registry.directory.models import Establishment, RecordSystem

MAX_ATTEMPTS = 12
HANDSHAKE = "handshake"
"""The kind of the first signal of a subscription: its address must accept it before it is told anything."""

REQUESTED, ACTIVE, ERROR, OFF = "requested", "active", "error", "off"
"""Statuses of a subscription, as FHIR has them."""

SUBSCRIBE = "system/Subscription.cruds"
"""The scope of subscribing, and of being told."""

LENT = timedelta(seconds=60)
"""How long a sender has before another may try: longer than any push may take."""
LONGEST_WAIT = 3600
KEPT = timedelta(days=30)
"""How long a signal can be replayed after it arrived, and one that did not after it was last due."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A signal lent to a sender, with the address it goes to and the audience it is for."""

    signal_id: UUID
    endpoint: str
    audience: str
    kind: str
    subject: str
    content: Mapping[str, Any]
    raised_at: datetime
    subscription_id: UUID | None = None
    number: int | None = None
    topic: str | None = None
    """Of a signal that a subscription asked for: which one, the event's place in it, and its topic."""


def raise_signal(
    session: Session, establishment_id: UUID, kind: str, subject: str, content: Mapping[str, Any]
) -> UUID | None:
    """Tell an establishment something, in the caller's transaction; None where it takes no events."""
    takes_events = select(Establishment.event_endpoint).where(Establishment.id == establishment_id)
    if session.scalar(takes_events) is None:
        return None
    signal = Signal(id=new_id(), establishment_id=establishment_id, kind=kind, subject=subject, content=dict(content))
    session.add(signal)
    session.flush()
    return signal.id


def lend_due(session: Session, limit: int = 100) -> list[Parcel]:
    """Due signals, oldest first, that no other sender holds; who doesn't settle them loses them to the next."""
    mine = Subscription.id == Signal.subscription_id
    asked, topic = (
        select(column).where(mine).scalar_subquery() for column in (Subscription.endpoint, Subscription.topic)
    )
    lend = (
        update(Signal)
        .where(Signal.id.in_(_due(limit).scalar_subquery()), Establishment.id == Signal.establishment_id)
        .values(attempts=Signal.attempts + 1, available_at=now() + LENT)
        .returning(
            Signal.id,
            func.coalesce(asked, Establishment.event_endpoint).label("endpoint"),
            func.coalesce(Establishment.fhir_endpoint, Establishment.event_endpoint),
            Signal.kind,
            Signal.subject,
            Signal.content,
            Signal.raised_at,
            Signal.subscription_id,
            Signal.number,
            topic,
        )
    )
    rows = session.execute(lend, execution_options={"synchronize_session": False}).all()
    return sorted((Parcel(*row) for row in rows if row.endpoint), key=lambda parcel: parcel.signal_id)


def _due(limit: int) -> Select[UUID]:
    return (
        select(Signal.id)
        .outerjoin(Subscription, Subscription.id == Signal.subscription_id)
        .where(Signal.delivered_at.is_(None), Signal.available_at <= now(), Signal.attempts < MAX_ATTEMPTS)
        .where(
            Subscription.id.is_(None) | (_is_served() & ((Subscription.status == ACTIVE) | (Signal.kind == HANDSHAKE)))
        )
        .order_by(Signal.available_at, Signal.id)
        .limit(limit)
        .with_for_update(of=Signal, skip_locked=True)
    )


def _is_served() -> ColumnElement[bool]:
    """Whether the record system that subscribed would be served if it called now; until then its events wait."""
    active = aliased(Establishment)
    return exists().where(
        RecordSystem.client_id == Subscription.client_id,
        RecordSystem.suspended_at.is_(None),
        RecordSystem.accredited_from <= now(),
        RecordSystem.accredited_until > now(),
        literal(SUBSCRIBE) == any_(RecordSystem.scopes),
        RecordSystem.establishment_id.in_(select(active.id).where(active.active)),
    )


def settle(session: Session, signal_id: UUID, error: str | None) -> None:
    """Record how a push went: delivered, or to be tried again with exponential back-off (error is a code, no data)."""
    if error is None:
        values: dict[str, Any] = {"delivered_at": now(), "last_error": None}
    else:
        wait = func.make_interval(0, 0, 0, 0, 0, 0, func.least(func.power(2, Signal.attempts), LONGEST_WAIT))
        values = {"last_error": error, "available_at": now() + wait}
    settled = update(Signal).where(Signal.id == signal_id).values(values)
    row = session.execute(settled.returning(Signal.subscription_id, Signal.kind, Signal.attempts)).one_or_none()
    if row is not None and row.subscription_id is not None:
        _follow(session, row.subscription_id, error, shook=row.kind == HANDSHAKE, attempts=row.attempts)


def _follow(session: Session, subscription_id: UUID, error: str | None, *, shook: bool, attempts: int) -> None:
    """What a delivery says of its subscription: the address answers, or was given up and rests until asked for."""
    this = Subscription.id == subscription_id
    if error is None and shook:
        change(session, this & (Subscription.status == REQUESTED), status=ACTIVE, last_error=None)
    elif error is not None and attempts >= MAX_ATTEMPTS:
        change(session, this & Subscription.status.not_in([OFF, ERROR]), status=ERROR, last_error=error)


def change(session: Session, which: ColumnElement[bool], **values: Any) -> None:
    """Give the subscriptions that are meant another version, which says that."""
    said = {"version": Subscription.version + 1, "changed_at": now(), **values}
    changed = update(Subscription).where(which).values(said).returning(Subscription.id)
    keep_versions(session, session.scalars(changed, execution_options={"synchronize_session": False}).all())


def keep_versions(session: Session, subscriptions: Sequence[UUID]) -> None:
    """Write down the newest version of each."""
    columns = [Subscription.version, Subscription.status, Subscription.last_error, Subscription.changed_at]
    rows = select(Subscription.id, *columns).where(Subscription.id.in_(subscriptions))
    names = ["subscription_id", *(column.key for column in columns)]
    session.execute(insert(SubscriptionVersion).from_select(names, rows))


def replay(session: Session, establishment_id: UUID, since: datetime) -> int:
    """Send everything raised for an establishment since then once more, given-up signals too; returns how many."""
    change(session, (Subscription.establishment_id == establishment_id) & (Subscription.status == ERROR), status=ACTIVE)
    again = (
        update(Signal)
        .where(Signal.establishment_id == establishment_id, Signal.raised_at >= since)
        .values(delivered_at=None, attempts=0, available_at=now(), last_error=None)
        .returning(Signal.id)
    )
    return len(session.scalars(again, execution_options={"synchronize_session": False}).all())


def list_undelivered(session: Session) -> Sequence[Signal]:
    """Every signal that has not arrived, oldest first; one with MAX_ATTEMPTS is given up until it is replayed."""
    return session.scalars(select(Signal).where(Signal.delivered_at.is_(None)).order_by(Signal.raised_at)).all()


def purge(session: Session) -> None:
    """Delete what arrived, or was last due, longer than KEPT ago; subscriptions that rest for as long are over."""
    horizon = now() - KEPT
    session.execute(delete(Signal).where(Signal.delivered_at < horizon))
    session.execute(delete(Signal).where(Signal.delivered_at.is_(None), Signal.available_at < horizon))
    resting = Subscription.status.in_([REQUESTED, ERROR]) & (Subscription.changed_at < horizon)
    ended = (Subscription.status != OFF) & (Subscription.ends_at < now())
    change(session, resting | ended, status=OFF)
    gone = select(Subscription.id).where(Subscription.status == OFF)
    session.execute(
        delete(Signal).where(Signal.subscription_id.in_(gone), Signal.delivered_at.is_(None)),
        execution_options={"synchronize_session": False},
    )
