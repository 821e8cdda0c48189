"""Subscriptions: asking to be told of a topic, and telling those who asked (FHIR Subscriptions R5 Backport, R4)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from consent_broker.signals.models import Signal, Subscription, SubscriptionVersion
from consent_broker.signals.service import (
    ACTIVE,
    ERROR,
    HANDSHAKE,
    MAX_ATTEMPTS,
    OFF,
    REQUESTED,
    change,
    keep_versions,
)
from registry.access import Caller
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import new_id, now, table_of, take_turns
from registry.errors import Conflict, NotFound, TooManyRequests

MOST_SUBSCRIPTIONS = 20
MOST_EVENTS = 100
_COUNTED = (
    update(table_of(Subscription))
    .where(Subscription.id == bindparam("told"))
    .values(events=bindparam("number", type_=Integer))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a record system asks to be told, where, until when and why."""

    topic: str
    endpoint: str
    reason: str
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A subscription as one of its versions said it."""

    subscription: Subscription
    version: SubscriptionVersion


@dataclass(frozen=True, slots=True)
class Happening:
    """Something for one establishment: about which of its source records, and the resource to read."""

    establishment_id: UUID
    source_record_id: UUID
    focus: str


@dataclass(frozen=True, slots=True)
class Deliveries:
    """How the notifications of a subscription fare: `given_up` rest until the subscription is asked for again."""

    waiting: int
    given_up: int


def subscribe(session: Session, caller: Caller, wanted: Wanted) -> tuple[Subscription, bool]:
    """Ask to be told; the same again is the one there is (False). Raises TooManyRequests beyond 20 live ones."""
    take_turns(session, b"subscriptions" + caller.establishment_id.bytes)  # two at once would both be new
    live = [one for one in list_own(session, caller) if one.status != OFF]
    same = (one for one in live if (one.topic, one.endpoint, one.ends_at) == _key(wanted))
    found = next(same, None)
    if found is not None:
        return found, False
    if len(live) >= MOST_SUBSCRIPTIONS:
        raise TooManyRequests(f"An establishment has at most {MOST_SUBSCRIPTIONS} subscriptions.")
    made = Subscription(
        id=new_id(),
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        topic=wanted.topic,
        endpoint=wanted.endpoint,
        reason=wanted.reason,
        ends_at=wanted.ends_at,
        status=REQUESTED,
        version=1,
        events=0,
        created_at=now(),
        changed_at=now(),
    )
    session.add(made)
    session.flush()
    keep_versions(session, [made.id])
    _shake(session, made)
    _account(session, caller, made, "requested")
    return made, True


def get_own(session: Session, caller: Caller, subscription_id: UUID, *, hold: bool = False) -> Subscription:
    """A subscription of the caller's establishment; raises NotFound, also for another's."""
    found = session.get(Subscription, subscription_id, populate_existing=True, with_for_update=hold)
    if found is None or found.establishment_id != caller.establishment_id:
        raise NotFound("There is no such Subscription.")
    return found


def list_versions(session: Session, caller: Caller, subscription_id: UUID) -> Sequence[Said]:
    """Every version of a subscription of the caller's establishment, newest first; raises NotFound."""
    found = get_own(session, caller, subscription_id)
    query = select(SubscriptionVersion).where(SubscriptionVersion.subscription_id == found.id)
    versions = session.scalars(query.order_by(SubscriptionVersion.version.desc())).all()
    return [Said(found, version) for version in versions]


def list_own(session: Session, caller: Caller) -> Sequence[Subscription]:
    """The subscriptions of the caller's establishment, oldest first."""
    query = select(Subscription).where(Subscription.establishment_id == caller.establishment_id)
    return session.scalars(query.order_by(Subscription.id)).all()


def ask_again(session: Session, caller: Caller, subscription_id: UUID) -> Subscription:
    """Shake hands anew and send what has not arrived once more; raises NotFound, Conflict for one that is over."""
    found = get_own(session, caller, subscription_id)
    if found.status == OFF:
        raise Conflict("This subscription is over; make a new one.", code="subscription-over")
    again = update(Signal).where(
        Signal.subscription_id == found.id, Signal.delivered_at.is_(None), Signal.kind != HANDSHAKE
    )
    session.execute(again.values(attempts=0, available_at=now(), last_error=None))
    _move(session, found, REQUESTED)
    _shake(session, found)
    _account(session, caller, found, "requested")
    return found


def end(session: Session, caller: Caller, subscription_id: UUID) -> Subscription:
    """Be told no more; what has not arrived is not sent. Raises NotFound."""
    found = get_own(session, caller, subscription_id)
    if found.status != OFF:
        session.execute(delete(Signal).where(Signal.subscription_id == found.id, Signal.delivered_at.is_(None)))
        _move(session, found, OFF)
        _account(session, caller, found, "ended")
    return found


def listening(topic: str) -> Select[UUID]:
    """The establishments that are told of a topic today."""
    return select(Subscription.establishment_id).where(_is_told(topic))


def tell_subscribers(session: Session, topic: str, happenings: Iterable[Happening]) -> int:
    """Queue a notification for everybody who asked, about their own records only; returns how many."""
    of_place: dict[UUID, list[Happening]] = defaultdict(list)
    for happening in happenings:
        of_place[happening.establishment_id].append(happening)
    asked = (
        select(Subscription.id, Subscription.establishment_id, Subscription.events)
        .where(_is_told(topic), Subscription.establishment_id.in_(list(of_place)))
        .order_by(Subscription.id)
        .with_for_update()
    )
    told = [
        {
            "establishment_id": row.establishment_id,
            "subscription_id": row.id,
            "kind": topic,
            "subject": str(happening.source_record_id),
            "content": {"focus": happening.focus},
            "number": number,
        }
        for row in session.execute(asked)
        for number, happening in enumerate(of_place[row.establishment_id], row.events + 1)
    ]
    if told:
        session.execute(insert(Signal), told)
        numbers = {one["subscription_id"]: one["number"] for one in told}
        session.execute(_COUNTED, [{"told": key, "number": number} for key, number in numbers.items()])
    return len(told)


def _is_told(topic: str) -> ColumnElement[bool]:
    ends = or_(Subscription.ends_at.is_(None), Subscription.ends_at > now())
    return and_(Subscription.topic == topic, Subscription.status.in_([ACTIVE, ERROR]), ends)


def list_events(session: Session, subscription: Subscription, since: int, until: int | None) -> Sequence[Signal]:
    """What a subscription was told, by number, the first 100 from `since` on; kept 30 days after they arrived."""
    query = select(Signal).where(Signal.subscription_id == subscription.id, Signal.number >= since)
    if until is not None:
        query = query.where(Signal.number <= until)
    return session.scalars(query.where(Signal.kind != HANDSHAKE).order_by(Signal.number).limit(MOST_EVENTS)).all()


def deliveries_of(session: Session, subscription: Subscription) -> Deliveries:
    """What has not arrived yet, and what was given up."""
    given_up = Signal.attempts >= MAX_ATTEMPTS
    query = select(func.count().filter(~given_up), func.count().filter(given_up)).where(
        Signal.subscription_id == subscription.id, Signal.delivered_at.is_(None)
    )
    return Deliveries(*session.execute(query).one())


def _key(wanted: Wanted) -> tuple[str, str, datetime | None]:
    return wanted.topic, wanted.endpoint, wanted.ends_at


def _shake(session: Session, subscription: Subscription) -> None:
    """One handshake waits at a time."""
    former = delete(Signal).where(Signal.subscription_id == subscription.id, Signal.kind == HANDSHAKE)
    session.execute(former.where(Signal.delivered_at.is_(None)))
    handshake = Signal(
        id=new_id(),
        establishment_id=subscription.establishment_id,
        subscription_id=subscription.id,
        kind=HANDSHAKE,
        subject="",
        content={},
    )
    session.add(handshake)
    session.flush()


def _move(session: Session, subscription: Subscription, status: str) -> None:
    change(session, Subscription.id == subscription.id, status=status, last_error=None)
    session.refresh(subscription)


def _account(session: Session, caller: Caller, subscription: Subscription, verb: str) -> None:
    event = Event(
        action=f"signals:subscription:{verb}",
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        token_id=caller.token_id,
        actor_role="record-system",
        detail={"subscription": str(subscription.id), "topic": subscription.topic},
    )
    record(session, event)
