"""Housekeeping of the desk: codes that have ended go."""

from datetime import timedelta

from consent_broker.desk.short_codes import purge_codes
from consent_broker.desk.sms_codes import purge_sms_codes
from registry.database import session

PURGE_EVERY = timedelta(minutes=10)


def purge_desk_codes() -> None:
    """Once a run."""
    purge_codes(session())
    purge_sms_codes(session())
