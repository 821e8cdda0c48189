"""Redeeming an authorization code (RFC 6749 §4.1.3): once, by one SQL statement; a replay ends the whole family."""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin
from authlib.oauth2.rfc6749.errors import InvalidGrantError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant as AuthlibGrant
from sqlalchemy import select, update

from consent_broker.oauth.clients import AUTH_METHOD, Client
from consent_broker.oauth.grant_tokens import issue_grant_tokens
from consent_broker.oauth.grants import find_grant, revoke_grant
from consent_broker.oauth.models import AuthorizationCode
from consent_broker.oauth.opaque import digest
from registry.database import now


@dataclass(frozen=True, slots=True)
class RedeemedCode(AuthorizationCodeMixin):  # type: ignore[misc]  # Authlib ships no types
    """A code that has just been used up, as Authlib reads it."""

    grant_id: UUID
    redirect_uri: str
    code_challenge: str
    jkt: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri


class AuthorizationCodeGrant(AuthlibGrant):  # type: ignore[misc]  # Authlib ships no types
    """The token half of the code grant; the authorization half is `rfc6749_authorize`."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = [AUTH_METHOD]
    RESPONSE_TYPES: ClassVar[set[str]] = set()

    def query_authorization_code(self, code: str, client: Client) -> RedeemedCode | None:
        """Use the code up, before anything else is checked: a wrong verifier or redirect costs the code."""
        code_hash, moment = digest(code), now()
        mine = (AuthorizationCode.code_hash == code_hash) & (AuthorizationCode.client_id == client.client_id)
        redeem = (
            update(AuthorizationCode)
            .where(mine, AuthorizationCode.used_at.is_(None), AuthorizationCode.expires_at > moment)
            .values(used_at=moment)
            .returning(
                AuthorizationCode.grant_id,
                AuthorizationCode.redirect_uri,
                AuthorizationCode.code_challenge,
                AuthorizationCode.jkt,
            )
        )
        found = self.server.session.execute(redeem).one_or_none()
        if found is None:
            self._punish_replay(mine)
            return None
        return RedeemedCode(*found)

    def _punish_replay(self, mine: Any) -> None:
        used = select(AuthorizationCode.grant_id).where(mine, AuthorizationCode.used_at.is_not(None))
        grant_id = self.server.session.scalar(used)
        if grant_id is not None:
            revoke_grant(self.server.session, grant_id, "code-replayed")

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        server, code = self.server, self.request.authorization_code
        if code.jkt not in {None, server.requester.jkt}:
            raise InvalidGrantError("The code is bound to another key")
        grant = find_grant(server.session, code.grant_id)
        if grant is None:
            raise InvalidGrantError("The grant has ended")
        scopes = frozenset(grant.scopes)
        body = issue_grant_tokens(server.session, server.broker, server.requester, grant, scopes)
        return 200, body, self.TOKEN_RESPONSE_HEADER
