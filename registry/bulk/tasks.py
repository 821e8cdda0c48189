"""Periodic tasks of imports: go on with what is uploaded, call off what nobody went on with, forget old refusals."""

import time
from datetime import timedelta

from registry.app import Renhice
from registry.bulk.processing import process, take_due
from registry.bulk.service import purge_refusals, purge_uploads
from registry.database import session
from registry.telemetry import logger
from registry.worker import schedule

ADVANCE_EVERY = timedelta(seconds=3)
PURGE_EVERY = timedelta(hours=6)
TURN_SECONDS = 60.0
PURGED_AT_ONCE = 1000
_log = logger(__name__)


def schedule_imports(parts: Renhice) -> None:
    """Register both; a turn is a minute, so that no worker is kept by one file."""

    def advance_imports() -> None:
        due = take_due(session())
        session().commit()
        if due is not None:
            started = time.monotonic()
            done = process(parts, due, TURN_SECONDS)
            seconds = round(time.monotonic() - started)
            _log.info("import ended" if done else "import goes on", import_id=str(due), seconds=seconds)

    def purge_imports() -> None:
        purge_uploads(session())
        session().commit()
        while purge_refusals(session(), PURGED_AT_ONCE) == PURGED_AT_ONCE:
            session().commit()

    schedule(parts.celery, "advance-imports", advance_imports, ADVANCE_EVERY, in_bulk=True)
    schedule(parts.celery, "purge-imports", purge_imports, PURGE_EVERY)
