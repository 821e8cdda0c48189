"""The authorization server: Authlib's dispatch over our own client authentication, grants and strict parameters."""

import logging
from typing import Any

from authlib.oauth2 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749.errors import InvalidRequestError, OAuth2Error
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from flask import Request, Response, jsonify
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.oauth.clients import AUTH_METHOD, Client, Requester, find_client
from consent_broker.oauth.emergency_grant import EmergencyGrant
from consent_broker.oauth.rfc6749_authorization_code import AuthorizationCodeGrant
from consent_broker.oauth.rfc6749_client_credentials import ClientCredentialsGrant
from consent_broker.oauth.rfc6749_parameters import read_form
from consent_broker.oauth.rfc6749_refresh_token import RefreshTokenGrant
from consent_broker.oauth.rfc7523_authorization_grant import JwtBearerGrant
from consent_broker.oauth.rfc7523_client_auth import PrivateKeyJwt
from consent_broker.oauth.rfc7636_pkce import S256Only
from consent_broker.oauth.rfc8628_device import DeviceCodeGrant
from consent_broker.oauth.rfc8693_token_exchange import TokenExchangeGrant
from consent_broker.oauth.rfc9396_rar import InvalidAuthorizationDetails
from consent_broker.oauth.rfc9449_dpop import HEADER, InvalidDpopProof, read_request_proof, use_proof
from consent_broker.resource_server.proofs import InvalidProof, Proof
from registry.database import now

_GRANTS: tuple[tuple[type, list[S256Only]], ...] = (
    (ClientCredentialsGrant, []),
    (AuthorizationCodeGrant, [S256Only(required=True)]),
    (RefreshTokenGrant, []),
    (DeviceCodeGrant, []),
    (TokenExchangeGrant, []),
    (EmergencyGrant, []),
    (JwtBearerGrant, []),
)
"""What the token endpoint gives a token for."""

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
        self.path = request.path
        self.address = request.remote_addr or ""
        self.headers = request.headers
        self.payload = BasicOAuth2Payload(parameters)
        self.requester: Requester | None = None
        """Who asks, once authenticated; what is issued is bound to the key they proved to hold."""

        self.auth_method: str | None = None
        self.user = self.authorization_code = self.refresh_token = self.credential = None
        self._scope = None

    @property
    def form(self) -> dict[str, str]:
        parameters: dict[str, str] = self.payload.data
        return parameters


class Server(AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
    """One request's authorization server: it knows the broker and the session its grants work with.

    Of one that `only_looks`, as an introspection does, an assertion's use does not wait for the disk.
    """

    def __init__(self, broker: Broker, session: Session, *, only_looks: bool = False) -> None:
        super().__init__()
        self.broker, self.session = broker, session
        self.requester: Requester | None = None
        """Who asks, once authenticated; what is issued is bound to the key they proved to hold."""

        method = PrivateKeyJwt(session, broker.issuer, broker.client_keys, broker.failures, only_looks)
        self.register_client_auth_method(AUTH_METHOD, method)

    def query_client(self, client_id: str) -> Client | None:
        return find_client(self.session, client_id, now())

    def authenticate_client(self, request: ParsedRequest, methods: list[str], endpoint: str = "token") -> Client:
        """The client of a request, `requester` from here on together with its key; raises OAuth2Error.

        A proof is read before the assertion is used up, so that a nonce that is asked for costs neither the assertion
        nor a code, and used up after it, so that nobody unknown fills the table.
        """
        if endpoint == "token" and "authorization_details" in request.form:
            raise InvalidAuthorizationDetails("They are asked for when the request is pushed, not here")
        url = f"{self.broker.issuer}{request.path}"
        proof = read_request_proof(self.broker.nonces, request.headers.get(HEADER), request.method, url)
        client: Client = super().authenticate_client(request, methods, endpoint)
        self.requester = Requester(client, self._bind(client, proof, required=endpoint == "token"))
        return client

    def _bind(self, client: Client, proof: Proof | None, *, required: bool) -> str | None:
        if proof is None:
            if required and client.profile.bound:
                raise InvalidDpopProof("A DPoP proof is required")
            return None
        if not client.profile.bound:
            raise InvalidRequestError("An app's tokens are bearer tokens: send no DPoP proof")
        try:
            use_proof(self.session, proof)
        except InvalidProof as error:
            raise InvalidDpopProof(str(error)) from None
        return proof.thumbprint

    def get_token_grant(self, request: ParsedRequest) -> Any:
        """RFC 6749 §5.2: a parameter that is missing makes the request invalid, and no grant unsupported."""
        if "grant_type" not in request.form:
            raise InvalidRequestError("Missing 'grant_type' in request.")
        return super().get_token_grant(request)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens: what follows an issue is audited where it happens."""

    def create_oauth2_request(self, request: Request) -> ParsedRequest:
        return ParsedRequest(request, read_form(request))

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        response = jsonify(body) if not isinstance(body, list) else jsonify(dict(body))
        response.status_code = status
        response.headers.extend([pair for pair in headers if pair[0].lower() not in _OWN_HEADERS])
        return response

    def authenticated(self, request: Request) -> tuple[Requester, dict[str, str]]:
        """Who asks at another endpoint than the token's, and the parameters; raises OAuth2Error."""
        parsed = self.create_oauth2_request(request)
        self.authenticate_client(parsed, [AUTH_METHOD], "endpoint")
        assert self.requester is not None  # noqa: S101  # for the type checker: set just now
        return self.requester, parsed.form

    def token(self, request: Request) -> Response:
        """Answer the token endpoint (RFC 6749 §3.2): a token or an error, never an exception for bad input."""
        for grant, extensions in _GRANTS:
            self.register_grant(grant, extensions)
        try:
            response: Response = self.create_token_response(request)
        except OAuth2Error as error:
            return self.error(error)
        return response

    def error(self, error: OAuth2Error) -> Response:
        """RFC 6749 §5.2."""
        response: Response = self.handle_response(*error(None))
        return response
