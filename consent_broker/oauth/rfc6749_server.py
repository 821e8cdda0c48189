"""The authorization server: Authlib's dispatch over our own client authentication, grants and strict parameters."""

import logging
from typing import Any

from authlib.oauth2 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749.errors import OAuth2Error
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from flask import Request, Response, jsonify
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.oauth.clients import AUTH_METHOD, Client, find_client
from consent_broker.oauth.rfc6749_authorization_code import AuthorizationCodeGrant
from consent_broker.oauth.rfc6749_client_credentials import ClientCredentialsGrant
from consent_broker.oauth.rfc6749_parameters import read_form
from consent_broker.oauth.rfc6749_refresh_token import RefreshTokenGrant
from consent_broker.oauth.rfc7523_client_auth import PrivateKeyJwt
from consent_broker.oauth.rfc7636_pkce import S256Only
from consent_broker.oauth.rfc8628_device import DeviceCodeGrant
from registry.database import now

_OWN_HEADERS = {"content-type", "www-authenticate"}
"""Authlib challenges for Basic authentication, which nobody may use here."""

logging.getLogger("authlib").setLevel(logging.WARNING)
"""Authlib logs issued tokens at DEBUG level."""


class ParsedRequest(OAuth2Request):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's request over parameters we read ourselves.

    Authlib's constructor refuses plain http unless a process-wide variable says otherwise; whether the product is
    reached over TLS is for the settings to say, so the constructor is not called.
    """

    def __init__(self, request: Request, parameters: dict[str, str]) -> None:
        self.method = request.method
        self.uri = request.base_url
        self.headers = request.headers
        self.payload = BasicOAuth2Payload(parameters)
        self.client: Client | None = None
        self.auth_method: str | None = None
        self.user = self.authorization_code = self.refresh_token = self.credential = None
        self._scope = None

    @property
    def form(self) -> dict[str, str]:
        parameters: dict[str, str] = self.payload.data
        return parameters


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
    """One request's authorization server: it knows the broker and the session its grants work with."""

    def __init__(self, broker: Broker, session: Session) -> None:
        super().__init__()
        self.broker, self.session = broker, session
        self.client: Client | None = None
        self.register_client_auth_method(AUTH_METHOD, PrivateKeyJwt(session, broker.issuer))
        self.register_grant(ClientCredentialsGrant)
        self.register_grant(AuthorizationCodeGrant, [S256Only(required=True)])
        self.register_grant(RefreshTokenGrant)
        self.register_grant(DeviceCodeGrant)

    def query_client(self, client_id: str) -> Client | None:
        return find_client(self.session, client_id, now())

    def authenticate_client(self, request: ParsedRequest, methods: list[str], endpoint: str = "token") -> Client:
        """The client of a request, known as `client` from here on; raises OAuth2Error."""
        self.client = super().authenticate_client(request, methods, endpoint)
        return self.client

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens: what follows an issue is audited where it happens."""

    def create_oauth2_request(self, request: Request) -> ParsedRequest:
        return ParsedRequest(request, read_form(request))

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        response = jsonify(body) if not isinstance(body, list) else jsonify(dict(body))
        response.status_code = status
        response.headers.extend([pair for pair in headers if pair[0].lower() not in _OWN_HEADERS])
        return response

    def authenticated(self, request: Request) -> tuple[Client, dict[str, str]]:
        """The client of a request to another endpoint than the token's, and its parameters; raises OAuth2Error."""
        parsed = self.create_oauth2_request(request)
        client: Client = self.authenticate_client(parsed, [AUTH_METHOD], "endpoint")
        return client, parsed.form

    def token(self, request: Request) -> Response:
        """Answer the token endpoint (RFC 6749 §3.2): a token or an error, never an exception for bad input."""
        try:
            response: Response = self.create_token_response(request)
        except OAuth2Error as error:
            return self.error(error)
        return response

    def error(self, error: OAuth2Error) -> Response:
        """RFC 6749 §5.2."""
        response: Response = self.handle_response(*error(None))
        return response
