"""Housekeeping: what has ended and is no longer needed to recognise a replay goes."""

from datetime import timedelta

from sqlalchemy import delete

from consent_broker.oauth.models import (
    AccessToken,
    AuthorizationCode,
    AuthorizationRequest,
    ClientAssertion,
    DeviceAuthorization,
    RefreshToken,
    UsedProof,
)
from registry.database import now, session

KEPT_AFTER_END = timedelta(days=1)
REQUEST_KEPT = timedelta(hours=1)
"""Anybody can make an authorization request, and its replay harms nobody: long enough to say that it has ended."""

PURGE_EVERY = timedelta(minutes=10)


def purge_credentials() -> None:
    """Delete ended credentials; the audit events about them stay for good."""
    horizon = now() - KEPT_AFTER_END
    for table in (AuthorizationCode, RefreshToken, AccessToken, DeviceAuthorization):
        session().execute(delete(table).where(table.expires_at < horizon))
    over = AuthorizationRequest.expires_at < now() - REQUEST_KEPT
    session().execute(delete(AuthorizationRequest).where(over))
    for once in (ClientAssertion, UsedProof):
        session().execute(delete(once).where(once.expires_at < now()))
