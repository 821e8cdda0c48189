"""Connections that end while nobody uses them: a restarted database costs no request its answer."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from registry.app import Renhice
from registry.database import commit_each, driver_of
from registry.questions import NO_DISK, Question, await_no_disk

Act = Callable[[Session], None]
PID = text("SELECT pg_backend_pid()")
END = text("SELECT pg_terminate_backend(:pid, 5000)")


def test_a_connection_that_ended_in_the_pool_is_replaced_before_it_is_used(renhice: Renhice) -> None:
    engine = renhice.database.engine
    with engine.connect() as one, engine.connect() as other:
        pids = {one.scalar(PID), other.scalar(PID)}
    with engine.connect() as one:
        left = (pids - {one.scalar(PID)}).pop()
        one.execute(text("RESET ROLE"))
        assert one.scalar(END, {"pid": left})
        with engine.connect() as other:
            assert other.scalar(PID) not in pids
            assert other.scalar(text("SELECT current_user")) == "renhice_app"
        one.rollback()
        one.execute(text("SET ROLE renhice_app"))
        one.commit()


def committed(session: Session) -> None:
    session.commit()
    session.execute(text("SELECT 1"))


def failed(session: Session) -> None:
    session.execute(text("SELECT 1 / 0"))


def failed_after_a_commit(session: Session) -> None:
    session.commit()
    failed(session)


@pytest.mark.parametrize("prepare", [commit_each, await_no_disk])
@pytest.mark.parametrize("end", [Session.close, Session.rollback, committed, failed, failed_after_a_commit])
def test_the_next_has_a_transaction_that_waits_for_the_disk(renhice: Renhice, prepare: Act, end: Act) -> None:
    """On the connection of one whose statements were transactions, or whose commit did not wait, however it ended."""
    with suppress(DataError), renhice.database.unit_of_work() as session:
        prepare(session)
        used = session.scalar(PID)
        end(session)
    with renhice.database.unit_of_work() as session:
        assert session.scalar(PID) == used
        assert not driver_of(session).autocommit
        assert session.scalar(text("SHOW synchronous_commit")) == "on"


def test_a_statement_that_waits_for_no_disk_says_so_of_itself_alone(renhice: Renhice) -> None:
    with renhice.database.unit_of_work() as session:
        commit_each(session)
        shown = Question(select(NO_DISK))
        assert shown.ask(session) == [("off",)]
        assert session.scalar(text("SHOW synchronous_commit")) == "on"
