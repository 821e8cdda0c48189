"""Housekeeping: what has ended and is no longer needed to recognise a replay goes."""

from datetime import timedelta

from sqlalchemy import delete

from consent_broker.oauth.models import (
    AccessToken,
    AuthorizationCode,
    AuthorizationRequest,
    ClientAssertion,
    RefreshToken,
)
from registry.database import now, session

KEPT_AFTER_END = timedelta(days=1)
PURGE_EVERY = timedelta(minutes=10)


def purge_credentials() -> None:
    """Delete ended credentials; the audit events about them stay for good."""
    horizon = now() - KEPT_AFTER_END
    for table in (AuthorizationCode, RefreshToken, AccessToken, AuthorizationRequest):
        session().execute(delete(table).where(table.expires_at < horizon))
    session().execute(delete(ClientAssertion).where(ClientAssertion.expires_at < now()))
