"""Token exchange (RFC 8693): a standing consent, and a professional who acts now, become a token for one audience.

The subject is stated by the record system in a JWT it signs (`sub` the person, `act` its professional, and a
`purpose_of_use`), or is that of a grant token it holds. What comes out is for the gateway or for one holder, carries
the professional in `act` and the patient in `sub`, lives as long as any access token, and can't be exchanged again.
"""

from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from authlib.oauth2.rfc6749.errors import (
    InvalidClientError,
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from consent_broker.consents.vocabulary import PURPOSES, categories_of
from consent_broker.oauth.clients import AUTH_METHOD, TOKEN_EXCHANGE, Client
from consent_broker.oauth.exchanged_tokens import Exchange, InvalidTarget, exchange_for_gateway, exchange_for_holder
from consent_broker.oauth.grant_tokens import SURFACE
from consent_broker.oauth.grants import Reader, find_grant
from consent_broker.oauth.models import AccessToken
from consent_broker.oauth.rfc7523_client_auth import PrivateKeyJwt, peek
from consent_broker.oauth.rfc9068_tokens import InvalidToken, find_token, read_token
from consent_broker.oauth.scopes import RECORD_SCOPES, parse_scopes
from registry.directory.service import get_professional_by_registration
from registry.errors import NotFound

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a type, no secret
STATEMENT = "urn:ietf:params:oauth:token-type:jwt"
ASKING_SCOPE = "access-request"
"""Who may ask in a professional's name may state that one acts now."""


@dataclass(frozen=True, slots=True)
class _Subject:
    """For whom and by whom; `grant_id` when it is that of a grant token."""

    person_id: UUID
    reader: Reader
    grant_id: UUID | None = None
    scopes: frozenset[str] = RECORD_SCOPES


class TokenExchangeGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib ships no types
    """Issued ⊆ asked ∩ the client's ∩ the subject token's ∩ consented now; one audience each."""

    GRANT_TYPE = TOKEN_EXCHANGE
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = [AUTH_METHOD]

    def validate_token_request(self) -> None:
        client: Client = self.authenticate_token_endpoint_client()
        self.request.client = client
        form: dict[str, str] = self.request.form
        if ASKING_SCOPE not in client.scopes:
            raise UnauthorizedClientError("The client may not ask in a professional's name")
        _check_form(form)
        self._target = _target(form, self.server.broker.audience(SURFACE))
        self._scopes = _scopes(client, form.get("scope"))
        kind = form["subject_token_type"]
        self._subject = self._stated(client) if kind == STATEMENT else self._held(client)

    def _stated(self, client: Client) -> _Subject:
        """What the record system signs: used once, as a client assertion is."""
        server, statement = self.server, self.request.form["subject_token"]
        broker = server.broker
        verifier = PrivateKeyJwt(server.session, broker.issuer, broker.client_keys, broker.failures)
        try:
            peeked = peek(statement)
            if peeked.claims.get("iss") != client.client_id or peeked.claims.get("sub") == client.client_id:
                raise InvalidGrantError("The subject token is not a statement of this client")
            claims = verifier.verify(peeked, client)
        except InvalidClientError as error:
            raise InvalidGrantError(str(error.description)) from None
        return _Subject(_person(claims), self._reader(client, claims))

    def _reader(self, client: Client, claims: dict[str, Any]) -> Reader:
        actor, purpose = claims.get("act"), claims.get("purpose_of_use")
        if not isinstance(purpose, str) or purpose not in PURPOSES:
            raise InvalidGrantError("The statement's purpose_of_use is not understood")
        named = actor.get("sub") if isinstance(actor, dict) and actor.keys() == {"sub"} else None
        readable = isinstance(named, str) and named.isascii() and named.isprintable()
        college, _, number = str(named).partition(" ") if readable else ("", "", "")
        try:
            professional = get_professional_by_registration(self.server.session, college[:12], number[:16])
        except NotFound:
            raise InvalidGrantError("The statement's act names no professional of the directory") from None
        return Reader(
            establishment_id=client.establishment_id,
            professional_id=professional.id,
            purpose=purpose,
            client_id=client.client_id,
        )

    def _held(self, client: Client) -> _Subject:
        """A grant token of the client's own, bound to the key it proves; never one that was exchanged already."""
        server = self.server
        row = self._token_row(client)
        grant = find_grant(server.session, row.grant_id) if row is not None and row.grant_id else None
        if row is None or grant is None or row.kind != "grant" or grant.purpose not in PURPOSES:
            raise InvalidGrantError("The subject token is not a live grant token of this client")
        if grant.exchanged:
            raise InvalidGrantError("A token that was exchanged can't be exchanged again")
        reader = Reader(
            establishment_id=grant.establishment_id,
            professional_id=grant.professional_id,
            purpose=grant.purpose,
            client_id=grant.client_id,
            consent_id=grant.consent_id,
        )
        return _Subject(grant.person_id, reader, grant.id, frozenset(row.scopes))

    def _token_row(self, client: Client) -> AccessToken | None:
        server = self.server
        try:
            claims = read_token(server.broker, self.request.form["subject_token"])
        except InvalidToken:
            return None
        bound = claims.get("cnf", {}).get("jkt")
        mine = claims.get("client_id") == client.client_id and bound in {None, server.requester.jkt}
        return find_token(server.session, claims) if mine else None

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        server, subject = self.server, self._subject
        exchange = Exchange(
            person_id=subject.person_id,
            reader=subject.reader,
            categories=categories_of(self._scopes & subject.scopes),
            grant_id=subject.grant_id,
        )
        if not exchange.categories:
            raise InvalidScopeError("The subject token carries nothing of this scope")
        if self._target == server.broker.audience(SURFACE):
            if subject.grant_id is not None:
                raise InvalidTarget("A grant token is for the exchange already: name one holder")
            body = exchange_for_gateway(server.session, server.broker, server.requester, exchange)
        else:
            body = exchange_for_holder(server.session, server.broker, server.requester, exchange, self._target)
        return 200, body | {"issued_token_type": ACCESS_TOKEN}, self.TOKEN_RESPONSE_HEADER


def _check_form(form: dict[str, str]) -> None:
    for name in ("subject_token", "subject_token_type"):
        if name not in form:
            raise InvalidRequestError(f"Missing '{name}' in request.")
    if form["subject_token_type"] not in {ACCESS_TOKEN, STATEMENT}:
        raise InvalidRequestError("subject_token_type must be a jwt or an access_token")
    if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise InvalidRequestError("Only access tokens are issued")
    if "actor_token" in form or "actor_token_type" in form:
        raise InvalidRequestError("The actor is named in the subject token, under act")


def _target(form: dict[str, str], gateway: str) -> str:
    """The one audience, by `audience` or `resource` (RFC 8707); the gateway when none is named."""
    named = {form[name].rstrip("/") for name in ("audience", "resource") if name in form}
    if len(named) > 1:
        raise InvalidTarget("One token is for one audience")
    target = named.pop() if named else gateway
    return gateway if target == f"{gateway}/fhir" else target


def _scopes(client: Client, text: str | None) -> frozenset[str]:
    scopes = parse_scopes(text) if text else client.scopes & RECORD_SCOPES
    if not scopes or not scopes <= RECORD_SCOPES:
        raise InvalidScopeError("Ask for patient/ scopes of records, and nothing else")
    if not scopes <= client.scopes:
        raise InvalidScopeError("The application is not registered for a scope it asks for")
    return scopes


def _person(claims: dict[str, Any]) -> UUID:
    try:
        return UUID(claims["sub"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise InvalidGrantError("The statement's sub is no person") from None
