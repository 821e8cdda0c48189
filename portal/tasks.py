"""Housekeeping: who had a session leaves no trace here once it is over; the audit says what was done in it."""

from datetime import timedelta

from celery import Celery

from portal.session import purge_sessions
from registry.database import session
from registry.worker import schedule

PURGE_EVERY = timedelta(minutes=5)
BATCH = 1000


def purge_ended_sessions() -> None:
    """Delete what is over, a transaction a batch."""
    while purge_sessions(session(), BATCH) == BATCH:
        session().commit()


def schedule_portal_tasks(celery: Celery) -> None:
    """Register the portal's periodic tasks."""
    schedule(celery, "purge-portal-sessions", purge_ended_sessions, PURGE_EVERY)
