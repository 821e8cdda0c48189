"""The outbox delivers what was committed, at least once, in its own savepoint, and retries with back-off."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry import outbox
from registry.app import Renhice
from registry.database import new_id, now
from registry.outbox import KEPT_AFTER_DELIVERY, OutboxMessage, backlog, publish, purge, relay, subscriber

received: list[Mapping[str, Any]] = []


@subscriber("test:thing:done")
def remember(_session: Session, payload: Mapping[str, Any]) -> None:
    if payload.get("fail"):
        msg = "not today"
        raise RuntimeError(msg)
    received.append(payload)


@pytest.fixture(autouse=True)
def clean(session: Session) -> None:
    received.clear()
    for message in session.scalars(select(OutboxMessage)):
        message.delivered_at = now()
    session.flush()


def test_a_message_is_delivered_once_it_is_due(session: Session) -> None:
    publish(session, "test:thing:done", "1", {"id": "a"})
    assert relay(session) == 1
    assert relay(session) == 0
    assert received == [{"id": "a"}]


def test_the_same_key_twice_is_one_message(session: Session) -> None:
    publish(session, "test:thing:done", "2", {"id": "a"})
    publish(session, "test:thing:done", "2", {"id": "b"})
    assert relay(session) == 1
    assert received == [{"id": "a"}]


def test_a_failing_handler_is_retried_later_and_stops_nobody_else(session: Session) -> None:
    publish(session, "test:thing:done", "3", {"fail": True})
    publish(session, "test:thing:done", "4", {"id": "ok"})
    relay(session)
    assert received == [{"id": "ok"}]
    failed = session.scalars(select(OutboxMessage).where(OutboxMessage.key == "3")).one()
    assert failed.delivered_at is None
    assert failed.last_error == "RuntimeError"
    assert failed.available_at > now()
    failed.available_at = now() - timedelta(seconds=1)
    failed.payload = {"id": "mended"}
    relay(session)
    assert received[-1] == {"id": "mended"}


def test_a_message_that_keeps_failing_stays_visible_and_is_left_alone(session: Session) -> None:
    publish(session, "test:thing:done", "5", {"fail": True})
    for _ in range(outbox.MAX_ATTEMPTS):
        relay(session)
        message = session.scalars(select(OutboxMessage).where(OutboxMessage.key == "5")).one()
        message.available_at = now() - timedelta(seconds=1)
    assert relay(session) == 0
    assert message.attempts == outbox.MAX_ATTEMPTS


def test_delivered_messages_go_after_their_time_and_others_stay(session: Session) -> None:
    for key in ("6", "7", "8"):
        publish(session, "test:thing:done", key, {"id": key})
    old, fresh, waiting = session.scalars(select(OutboxMessage).where(OutboxMessage.key.in_(list("678")))).all()
    old.delivered_at = now() - KEPT_AFTER_DELIVERY - timedelta(minutes=1)
    fresh.delivered_at = now() - KEPT_AFTER_DELIVERY + timedelta(minutes=1)
    waiting.available_at = now() - 10 * KEPT_AFTER_DELIVERY
    session.flush()
    assert purge(session) == 1
    left = session.scalars(select(OutboxMessage.id).where(OutboxMessage.key.in_(list("678"))))
    assert set(left) == {fresh.id, waiting.id}


def test_the_backlog_is_counted_with_the_age_of_its_oldest(session: Session) -> None:
    assert {state: one.count for state, one in backlog(session).items()} == {"waiting": 0, "given-up": 0}
    hour_ago = now() - timedelta(hours=1)
    for key, made in (("9", hour_ago), ("10", now()), ("11", hour_ago - timedelta(hours=1))):
        publish(session, "test:thing:done", key, {"id": key})
        message = session.scalars(select(OutboxMessage).where(OutboxMessage.key == key)).one()
        message.id = published_at(made)
        message.attempts = outbox.MAX_ATTEMPTS if key == "11" else 0
    session.flush()
    seen = backlog(session)
    assert (seen["waiting"].count, seen["given-up"].count) == (2, 1)
    assert seen["waiting"].oldest is not None
    assert abs(seen["waiting"].oldest - hour_ago) < timedelta(milliseconds=2)


def published_at(moment: datetime) -> UUID:
    """The id a message got that was published then."""
    return UUID(bytes=int(moment.timestamp() * 1000).to_bytes(6) + new_id().bytes[6:])


def test_the_outbox_keeps_house_on_its_own(renhice: Renhice) -> None:
    assert {"relay-outbox", "purge-outbox"} <= set(renhice.celery.conf.beat_schedule)
