"""Questions put to the driver itself: the same rows, the same transaction, the same errors."""

from uuid import uuid4

import pytest
from psycopg.errors import QueryCanceled
from sqlalchemy import bindparam, func, insert, select, text
from sqlalchemy.exc import DataError, DBAPIError, OperationalError, PendingRollbackError

from registry.app import Renhice
from registry.audit.event import Event
from registry.audit.models import AuditEvent
from registry.audit.service import record, record_now
from registry.database import table_of
from registry.questions import Question

FOUND = Question(
    select(AuditEvent.detail, AuditEvent.outcome).where(
        AuditEvent.action == bindparam("action"), AuditEvent.outcome == "success"
    )
)


def test_what_is_written_is_of_the_session_s_transaction_and_read_as_it_was(renhice: Renhice) -> None:
    action = f"test:question:{uuid4()}"
    with renhice.database.unit_of_work() as session:
        made = Event(action=action, detail={"scopes": ["a", "ñ"], "count": 1})
        record_now(session, made, Event(action=action, outcome="refused"))
        assert FOUND.ask_one(session, action=action) == ({"scopes": ["a", "ñ"], "count": 1}, "success")
        session.rollback()
        assert FOUND.ask_one(session, action=action) is None


def test_what_objects_say_and_is_not_written_yet_is_found(renhice: Renhice) -> None:
    action = f"test:question:{uuid4()}"
    with renhice.database.unit_of_work() as session:
        record(session, Event(action=action, detail={"count": 2}))
        assert FOUND.ask(session, action=action) == [({"count": 2}, "success")]
        session.rollback()


def test_after_what_objects_said_failed_nothing_is_asked_before_a_rollback(renhice: Renhice) -> None:
    action = f"test:question:{uuid4()}"
    with renhice.database.unit_of_work() as session:
        assert FOUND.ask(session, action=action) == []
        record(session, Event(action="a\x00b"))
        for expected in (DataError, PendingRollbackError):
            with pytest.raises(expected):
                FOUND.ask(session, action=action)
        session.rollback()
        assert FOUND.ask(session, action=action) == []


@pytest.mark.parametrize(
    ("statement", "given", "expected"),
    [
        (select(func.pg_sleep(bindparam("seconds"))), {"seconds": 5}, (OperationalError, QueryCanceled)),
        (insert(table_of(AuditEvent)), {"action": "a\x00b"}, (DataError, Exception)),
    ],
    ids=["cancelled", "nul"],
)
def test_an_error_is_the_one_sqlalchemy_would_raise(
    renhice: Renhice, statement: object, given: dict[str, object], expected: tuple[type, type]
) -> None:
    question = Question(statement, given)  # type: ignore[arg-type]
    with renhice.database.unit_of_work() as session:
        session.execute(text("SET LOCAL statement_timeout = 50"))
        with pytest.raises(DBAPIError) as raised:
            question.ask(session, **given)
        assert isinstance(raised.value, expected[0])
        assert isinstance(raised.value.orig, expected[1])
        session.rollback()
