"""Housekeeping: who had a session leaves no trace here once it is over; the audit says what was done in it."""

from datetime import timedelta

from celery import Celery

from portal.leaving import send_away_whoever_left
from portal.session import purge_logout_tokens, purge_sessions
from registry.database import now, session
from registry.worker import schedule

PURGE_EVERY = timedelta(minutes=5)
BATCH = 1000


def purge_ended_sessions() -> None:
    """Delete what is over, a transaction a batch."""
    purge_logout_tokens(session())
    while purge_sessions(session(), BATCH) == BATCH:
        session().commit()


def send_leavers_away() -> None:
    """Whoever's last role ended by its date loses passkeys and sessions of work, though they never come again."""
    send_away_whoever_left(session(), now())


def schedule_portal_tasks(celery: Celery) -> None:
    """Register the portal's periodic tasks."""
    schedule(celery, "end-work-of-leavers", send_leavers_away, PURGE_EVERY)
    schedule(celery, "purge-portal-sessions", purge_ended_sessions, PURGE_EVERY)
