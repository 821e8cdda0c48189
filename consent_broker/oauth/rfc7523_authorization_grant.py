"""A JWT as authorization grant (RFC 7523 §2.1): a client names the Minsa staff member who works through it.

Staff has no record system and gives no consent; what they do is decided by a role of the directory. So a client that is
registered for such a scope signs who sits before it (`sub`, a handle of the directory and no document), and a token is
issued for that human while the role is in force. The client vouches for the human's sign-in; it can't name anybody who
holds no role, and everything done is in the log under both.
"""

from typing import Any, ClassVar

from authlib.oauth2.rfc6749.errors import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
)
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from consent_broker.oauth.clients import AUTH_METHOD, JWT_BEARER, Client
from consent_broker.oauth.rfc7523_client_auth import PrivateKeyJwt, peek
from consent_broker.oauth.rfc9068_tokens import TokenSpec, issue_token
from consent_broker.oauth.scopes import STAFF_SCOPES, parse_scopes
from registry.identity.stewardship import is_steward


class JwtBearerGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib ships no types
    """`assertion` is signed by the authenticated client with the keys of its client assertions, and used once."""

    GRANT_TYPE = JWT_BEARER
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = [AUTH_METHOD]

    def validate_token_request(self) -> None:
        client: Client = self.authenticate_token_endpoint_client()
        self.request.client = client
        self._scopes = self._wanted(client)
        assertion = self.request.form.get("assertion")
        if assertion is None:
            raise InvalidRequestError("Missing 'assertion' in request.")
        self._staff = self._named(client, assertion)

    def _wanted(self, client: Client) -> frozenset[str]:
        """Read before the assertion is used up; exactly the scopes of staff, and only those the client has."""
        scopes = parse_scopes(self.request.payload.scope or "")
        if not scopes <= set(STAFF_SCOPES) or not scopes <= client.scopes:
            raise InvalidScopeError("The client is not registered for a scope it asks for")
        return scopes

    def _named(self, client: Client, assertion: str) -> str:
        """The handle of the staff member named; raises InvalidGrantError for one who holds no role now."""
        server = self.server
        broker = server.broker
        verifier = PrivateKeyJwt(server.session, broker.issuer, broker.client_keys, broker.failures)
        try:
            peeked = peek(assertion)
            if peeked.claims.get("iss") != client.client_id:
                raise InvalidGrantError("The assertion's issuer is not the client")
            claims = verifier.verify(peeked, client)
        except InvalidClientError as error:
            raise InvalidGrantError(str(error.description)) from None
        staff = claims.get("sub")
        if not isinstance(staff, str) or not is_steward(server.session, staff):
            raise InvalidGrantError("The assertion names nobody who holds the role")
        return staff

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        client: Client = self.request.client
        server = self.server
        [surface] = {STAFF_SCOPES[scope] for scope in self._scopes}
        spec = TokenSpec(
            kind="staff",
            client_id=client.client_id,
            establishment_id=client.establishment_id,
            audience=server.broker.audience(surface),
            scopes=self._scopes,
            subject=self._staff,
            staff=self._staff,
            jkt=server.requester.jkt,
        )
        token = issue_token(server.session, server.broker, spec)
        body = {
            "access_token": token.value,
            "token_type": token.type,
            "expires_in": token.expires_in,
            "scope": " ".join(sorted(self._scopes)),
        }
        return 200, body, self.TOKEN_RESPONSE_HEADER
