"""Housekeeping: consents past their end get the version that says so."""

from datetime import timedelta

from consent_broker.consents.service import expire_consents
from registry.database import session

EXPIRE_EVERY = timedelta(minutes=5)


def expire_ended_consents() -> None:
    """Once a run; the decision function never waits for it."""
    expire_consents(session())
