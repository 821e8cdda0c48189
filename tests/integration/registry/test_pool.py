"""Connections that end while nobody uses them: a restarted database costs no request its answer."""

from sqlalchemy import text

from registry.app import Renhice

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
