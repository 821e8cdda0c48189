"""The outbox delivers what was committed, at least once, in its own savepoint, and retries with back-off."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry import outbox
from registry.database import now
from registry.outbox import OutboxMessage, publish, relay, subscriber

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
