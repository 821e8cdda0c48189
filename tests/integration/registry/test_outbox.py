"""The outbox delivers what was committed, at least once, in sets of a topic, and retries with back-off what fails."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine, delete, func, select, text, update
from sqlalchemy.orm import Session

from registry import outbox
from registry.app import Renhice
from registry.database import new_id, now
from registry.outbox import OutboxMessage, Payloads, backlog, publish, relay, subscriber
from registry.worker import OUTBOX_SECONDS, relay_outbox

received: list[list[Any]] = []
"""The ids of each set that was handled to its end."""
tried: list[int] = []
"""How many messages each set had that was tried."""


@subscriber("test:thing:done")
@subscriber("test:other:done")
def remember(session: Session, payloads: Payloads) -> None:
    tried.append(len(payloads))
    session.execute(text("SELECT set_config('test.handled', :ids, true)"), {"ids": str(len(payloads))})
    if any(payload.get("fail") for payload in payloads):
        msg = "not today"
        raise RuntimeError(msg)
    received.append([payload["id"] for payload in payloads])


@pytest.fixture(autouse=True)
def clean(session: Session) -> None:
    received.clear()
    session.execute(delete(OutboxMessage))


def find(session: Session, key: str) -> OutboxMessage | None:
    query = select(OutboxMessage).where(OutboxMessage.key == key)
    return session.scalar(query.execution_options(populate_existing=True))


def test_a_message_is_delivered_once_it_is_due(session: Session) -> None:
    publish(session, "test:thing:done", "1", {"id": "a"})
    assert relay(session) == 1
    assert relay(session) == 0
    assert received == [["a"]]
    assert find(session, "1") is None


def test_of_the_same_key_twice_the_newest_is_told(session: Session) -> None:
    for name in "abc":
        publish(session, "test:thing:done", "1" if name == "b" else "2", {"id": name})
    assert relay(session) == 3
    assert received == [["c", "b"]]
    assert find(session, "2") is None


def test_what_is_published_while_its_like_is_delivered_is_delivered_too(renhice: Renhice) -> None:
    """The handler may have read what is no more: a role lost again would have been heard of by nobody."""
    work = renhice.database.unit_of_work
    with work() as first:
        publish(first, "test:thing:done", "6", {"id": "first"})
    with work() as delivering:
        ((topic, messages),) = outbox._claim(delivering, outbox.FIRST, 10).items()
        with work() as publishing:
            publish(publishing, "test:thing:done", "6", {"id": "during"})
        outbox._deliver(delivering, topic, messages)
        with work() as publishing:
            publish(publishing, "test:thing:done", "6", {"id": "before it is over"})
    with work() as delivering:
        relay(delivering)
    assert received == [["first"], ["before it is over"]]


def test_who_publishes_the_same_in_another_order_waits_for_nobody(renhice: Renhice) -> None:
    with renhice.database.unit_of_work() as one, renhice.database.unit_of_work() as other:
        publish(one, "test:thing:done", "7", {"id": "x"})
        publish(other, "test:thing:done", "8", {"id": "y"})
        publish(one, "test:thing:done", "8", {"id": "y"})
        publish(other, "test:thing:done", "7", {"id": "x"})
        one.rollback()
        other.rollback()


def test_what_was_given_up_swallows_nothing_that_comes_after_it(session: Session) -> None:
    publish(session, "test:thing:done", "9", {"fail": True})
    session.execute(update(OutboxMessage).values(attempts=outbox.MAX_ATTEMPTS))
    publish(session, "test:thing:done", "9", {"id": "after"})
    assert relay(session) == 1
    assert received == [["after"]]


def test_messages_of_a_topic_are_handled_together_in_their_order(session: Session) -> None:
    for number in range(6):
        publish(session, "test:thing:done" if number % 2 else "test:other:done", str(number), {"id": number})
    assert relay(session, 5) == 5
    assert received == [[0, 2, 4], [1, 3]]
    assert relay(session, 5) == 1


def test_those_that_fail_are_found_among_many_and_stop_nobody_else(session: Session) -> None:
    for number in range(20):
        publish(session, "test:thing:done", str(number), {"id": number} | ({"fail": True} if number in {3, 11} else {}))
    while relay(session):
        pass
    assert [one for handled in received for one in handled] == [*range(3), *range(4, 11), *range(12, 20)]
    left = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)).all()
    assert [(one.key, one.attempts, one.last_error) for one in left] == [
        ("3", 1, "RuntimeError"),
        ("11", 1, "RuntimeError"),
    ]


def test_a_set_in_which_everything_fails_ends_soon(session: Session) -> None:
    """What is urgent waits for it."""
    for number in range(200):
        publish(session, "test:thing:done", str(number), {"fail": True})
    tried.clear()
    relay(session)
    assert tried == [200, 100, 50, 25, 12, 6, 3, 1]
    assert session.scalar(select(func.sum(OutboxMessage.attempts))) == 1


def test_what_a_failing_handler_wrote_is_undone(session: Session) -> None:
    publish(session, "test:thing:done", "1", {"fail": True})
    relay(session)
    assert session.scalar(text("SELECT current_setting('test.handled', true)")) in {None, ""}


def test_a_failing_message_is_retried_later(session: Session) -> None:
    publish(session, "test:thing:done", "3", {"fail": True})
    relay(session)
    failed = find(session, "3")
    assert failed is not None
    assert failed.available_at > now()
    assert relay(session) == 0
    failed.available_at = now() - timedelta(seconds=1)
    failed.payload = {"id": "mended"}
    session.flush()
    relay(session)
    assert received[-1] == ["mended"]


def test_a_message_that_keeps_failing_stays_visible_and_is_left_alone(session: Session) -> None:
    publish(session, "test:thing:done", "5", {"fail": True})
    for _ in range(outbox.MAX_ATTEMPTS):
        assert relay(session) == 1
        message = find(session, "5")
        assert message is not None
        message.available_at = now() - timedelta(seconds=1)
        session.flush()
    assert relay(session) == 0
    assert (message.attempts, message.last_error) == (outbox.MAX_ATTEMPTS, "RuntimeError")
    assert backlog(session)["given-up"].count == 1


def test_behind_an_emptied_outbox_a_set_is_found_without_reading_the_rest(
    database_url: str, session: Session, renhice: Renhice
) -> None:
    """The planner took a file's many messages for the one row it had last seen, and sorted all of them each time."""
    session.rollback()  # it holds the table: VACUUM would wait, and leave the planner the pages that were full
    owner = create_engine(database_url, isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        connection.execute(text("DELETE FROM outbox"))
        connection.execute(text("VACUUM ANALYZE outbox"))
    owner.dispose()
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'outbox'"
    with renhice.database.unit_of_work() as work:
        work.execute(text(MANY))
        before = work.scalar(text(read))
        assert relay(work, 50) == 50
        assert work.scalar(text(read)) - before < 500
        assert backlog(work)["records"].count == 1950
        assert work.scalar(text("SHOW enable_sort")) == "on"
        work.rollback()


MANY = """
INSERT INTO outbox (id, topic, key, payload, attempts, available_at)
SELECT gen_random_uuid(), 'identity:person:linked', 'test' || n,
  jsonb_build_object('source_record_id', gen_random_uuid()), 0, now() - n * interval '1 second'
FROM generate_series(1, 2000) AS n
"""


def test_a_run_ends_in_time_whatever_waits(renhice: Renhice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait behind it: what it brought is pushed by another task."""
    clock, sets = iter(range(100)), iter(range(1, 100))
    monkeypatch.setattr("registry.worker.time.monotonic", lambda: next(clock))
    monkeypatch.setattr(outbox, "relay", lambda _session, _limit: next(sets, 0))
    with renhice.database.unit_of_work():
        relay_outbox()
    assert next(sets) == OUTBOX_SECONDS + 1


@pytest.mark.parametrize("topic", ["test:thing:done", "identity:record:received"])
def test_the_backlog_is_counted_with_the_age_of_its_oldest(session: Session, topic: str) -> None:
    state = {"test:thing:done": "waiting"}.get(topic, "records")
    assert {one.count for one in backlog(session).values()} == {0}
    hour_ago = now() - timedelta(hours=1)
    for key, made in (("9", hour_ago), ("10", now()), ("11", hour_ago - timedelta(hours=1))):
        publish(session, topic, key, {"id": key})
        message = find(session, key)
        assert message is not None
        message.id = published_at(made)
        message.attempts = outbox.MAX_ATTEMPTS if key == "11" else 0
        session.flush()
    seen = backlog(session)
    assert {name: one.count for name, one in seen.items() if one.count} == {state: 2, "given-up": 1}
    assert seen[state].oldest is not None
    assert abs(seen[state].oldest - hour_ago) < timedelta(milliseconds=2)


def test_of_many_the_number_is_the_databases_own(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "COUNTED", 2)
    monkeypatch.setattr(outbox, "_LIVE", select(func.coalesce(34_000_000)))
    for key in "123":
        assert backlog(session)["waiting"].count < 3
        publish(session, "test:thing:done", key, {"id": key})
    assert backlog(session)["waiting"].count == 34_000_000


def published_at(moment: datetime) -> UUID:
    """The id a message got that was published then."""
    return UUID(bytes=int(moment.timestamp() * 1000).to_bytes(6) + new_id().bytes[6:])


def test_runs_leave_half_of_the_time_to_others_and_do_not_pile_up(renhice: Renhice) -> None:
    """Ten runs in a row waited before whatever pushes a revocation, which was not asked for so long."""
    relaying = renhice.celery.conf.beat_schedule["relay-outbox"]
    assert relaying["schedule"].total_seconds() >= 2 * OUTBOX_SECONDS
    assert relaying["options"]["expires"] <= relaying["schedule"].total_seconds()
