"""Periodic tasks of exports: go on with what was asked for, and let go of what is a day old."""

from datetime import timedelta

from registry.app import Renhice
from registry.bulk.export.service import purge_exports
from registry.bulk.export.writing import take_due, write
from registry.database import session
from registry.worker import schedule

ADVANCE_EVERY = timedelta(seconds=3)
PURGE_EVERY = timedelta(hours=1)
TURN_SECONDS = 20.0


def schedule_exports(parts: Renhice) -> None:
    """Register both; a turn is short, so that no worker is kept by one export."""

    def advance_exports() -> None:
        due = take_due(session())
        session().commit()
        if due is not None:
            write(parts, due, TURN_SECONDS)

    def purge() -> None:
        purge_exports(session())

    schedule(parts.celery, "advance-exports", advance_exports, ADVANCE_EVERY, in_bulk=True)
    schedule(parts.celery, "purge-exports", purge, PURGE_EVERY)
