"""Refreshing (RFC 6749 §6), in one SQL statement, by the client's profile.

An app uses each refresh token once, and using one twice ends the whole family (RFC 9700 §4.14.2). A record system keeps
the one it has, bound to its key: a lost answer does not cost it the grant (FAPI 2.0 §5.3.2.1). While a person is merged
into another its grants rest, and an attempt costs no token: they work again after a split.
"""

from typing import Any, ClassVar
from uuid import UUID

from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant as AuthlibGrant
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from consent_broker.oauth.clients import AUTH_METHOD, Client
from consent_broker.oauth.grant_tokens import issue_grant_tokens
from consent_broker.oauth.grants import AnyGrant, Grant, find_grant, is_alive, revoke_grant
from consent_broker.oauth.models import OAuthGrant, RefreshToken
from consent_broker.oauth.opaque import digest
from consent_broker.oauth.scopes import RECORD_SCOPES, parse_scopes
from registry.database import now, table_of
from registry.identity.models import Person
from registry.questions import Question

_PRESENTED = Question(
    select(*(table_of(OAuthGrant).c[name] for name in Grant._fields))
    .join(RefreshToken, RefreshToken.grant_id == OAuthGrant.id)
    .join(Person, Person.id == OAuthGrant.person_id)
    .where(RefreshToken.token_hash == bindparam("hash"), RefreshToken.client_id == bindparam("client"))
    .where(RefreshToken.jkt.is_not_distinct_from(bindparam("jkt")))
    .where(RefreshToken.used_at.is_(None), RefreshToken.expires_at > bindparam("moment"))
    .where(Person.status == "active")
)
_STANDING = select(OAuthGrant.id).join(Person, Person.id == OAuthGrant.person_id).where(Person.status == "active")


class RefreshTokenGrant(AuthlibGrant):  # type: ignore[misc]  # Authlib ships no types
    """What comes out is what the consents permit at that moment, never more than was granted."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = [AUTH_METHOD]

    def validate_token_request(self) -> None:
        client: Client = self._validate_request_client()
        presented = self.request.form.get("refresh_token")
        if presented is None:
            raise InvalidRequestError("Missing 'refresh_token' in request.")
        asked = self._asked()
        use = self._rotate if client.profile.rotates else self._present
        grant = use(digest(presented), client)
        if grant is None:
            raise InvalidGrantError("The refresh token is not valid")
        self._grant, self._scopes = grant, _wanted(grant, asked)

    def _present(self, token_hash: bytes, client: Client) -> Grant | None:
        """The grant of a token of this client, bound to the key it proves; the token stays."""
        session: Session = self.server.session
        row = _PRESENTED.ask_one(
            session, hash=token_hash, client=client.client_id, jkt=self.server.requester.jkt, moment=now()
        )
        grant = Grant._make(row) if row else None
        return grant if grant is not None and is_alive(session, grant) else None

    def _rotate(self, token_hash: bytes, client: Client) -> OAuthGrant | None:
        """The same of a token that is used up by it; one that was used already ends the grant."""
        session, moment = self.server.session, now()
        mine = (
            (RefreshToken.token_hash == token_hash)
            & (RefreshToken.client_id == client.client_id)
            & RefreshToken.jkt.is_not_distinct_from(self.server.requester.jkt)
        )
        alive = mine & RefreshToken.used_at.is_(None) & (RefreshToken.expires_at > moment)
        good = alive & RefreshToken.grant_id.in_(_STANDING)
        use = update(RefreshToken).where(good).values(used_at=moment).returning(RefreshToken.grant_id)
        grant_id: UUID | None = session.scalar(use)
        if grant_id is None:
            replayed = session.scalar(select(RefreshToken.grant_id).where(mine, RefreshToken.used_at.is_not(None)))
            if replayed is not None:
                revoke_grant(session, replayed, "refresh-token-replayed")
        return find_grant(session, grant_id) if grant_id else None

    def _asked(self) -> frozenset[str] | None:
        """Read before the token is used up: a misspelt scope must not cost the client its grant."""
        text = self.request.payload.scope
        asked = parse_scopes(text) if text else None
        if asked is not None and not asked & RECORD_SCOPES:
            raise InvalidScopeError("Ask for at least one record scope")
        return asked

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        server = self.server
        body = issue_grant_tokens(
            server.session,
            server.broker,
            server.requester,
            self._grant,
            self._scopes,
            refreshable=server.requester.client.profile.rotates,
        )
        return 200, body, self.TOKEN_RESPONSE_HEADER


def _wanted(grant: AnyGrant, asked: frozenset[str] | None) -> frozenset[str]:
    if asked is None:
        return frozenset(grant.scopes)
    if not asked <= set(grant.scopes):
        raise InvalidScopeError("The scope was not granted")
    return asked | ({"offline_access"} & set(grant.scopes))
