"""Token revocation (RFC 7009): JWTs too, and revoking anything of a grant ends the whole grant.

Always 200, whatever was presented: the answer tells nobody whether a token existed or whose it was (§2.2).
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.oauth.clients import Client
from consent_broker.oauth.grants import revoke_grant
from consent_broker.oauth.models import AccessToken, RefreshToken
from consent_broker.oauth.opaque import digest
from consent_broker.oauth.rfc9068_tokens import InvalidToken, read_token
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import now


def revoke(session: Session, broker: Broker, client: Client, token: str) -> None:
    """Revoke a token of that client, refresh or access; another client's token is left alone."""
    mine = (RefreshToken.token_hash == digest(token)) & (RefreshToken.client_id == client.client_id)
    grant_id = session.scalar(select(RefreshToken.grant_id).where(mine))
    if grant_id is not None:
        revoke_grant(session, grant_id, "revoked-by-client")
        return
    try:
        claims = read_token(broker, token)
    except InvalidToken:
        return
    _revoke_access_token(session, client, str(claims["jti"]))


def _revoke_access_token(session: Session, client: Client, token_id: str) -> None:
    statement = (
        update(AccessToken)
        .where(AccessToken.id == token_id, AccessToken.client_id == client.client_id)
        .where(AccessToken.revoked_at.is_(None))
        .values(revoked_at=now())
        .returning(AccessToken.grant_id)
    )
    row = session.execute(statement).one_or_none()
    if row is None:
        return
    event = Event(
        action="oauth:token:revoked",
        client_id=client.client_id,
        establishment_id=client.establishment_id,
        token_id=token_id,
    )
    record(session, event)
    if row.grant_id is not None:
        revoke_grant(session, row.grant_id, "revoked-by-client")
