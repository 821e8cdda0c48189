"""Client credentials (RFC 6749 §4.4): a record system acting for itself."""

from typing import Any, ClassVar

from authlib.oauth2.rfc6749.errors import InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant as AuthlibGrant

from consent_broker.oauth.clients import AUTH_METHOD, Client
from consent_broker.oauth.rfc9068_tokens import TokenSpec, issue_token
from consent_broker.oauth.scopes import audience_of, parse_scopes


class ClientCredentialsGrant(AuthlibGrant):  # type: ignore[misc]  # Authlib ships no types
    """A token for one audience, with exactly the scopes asked for or none at all."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = [AUTH_METHOD]

    def validate_requested_scope(self) -> None:
        client: Client = self.request.client
        scopes = parse_scopes(self.request.payload.scope or "")
        if not scopes <= client.scopes:
            raise InvalidScopeError("The record system is not registered for a scope it asks for")
        self._audience = audience_of(scopes)
        self._scopes = scopes

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        client: Client = self.request.client
        broker = self.server.broker
        spec = TokenSpec(
            kind="client",
            client_id=client.client_id,
            establishment_id=client.establishment_id,
            audience=broker.audience(self._audience),
            scopes=self._scopes,
            subject=client.client_id,
            jkt=self.server.requester.jkt,
        )
        token = issue_token(self.server.session, broker, spec)
        body = {
            "access_token": token.value,
            "token_type": token.type,
            "expires_in": token.expires_in,
            "scope": " ".join(sorted(self._scopes)),
        }
        return 200, body, self.TOKEN_RESPONSE_HEADER
