"""Client authentication with private_key_jwt (RFC 7523 §3, OpenID Connect Core §9), stricter than the RFC.

Written here, on joserfc, because Authlib's class accepts audiences as arrays, ten-year assertions, none without `iat`,
and only three algorithms. One assertion is used once: a unique index decides, not a look before a write.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent_broker.oauth.clients import Client
from consent_broker.oauth.models import ClientAssertion
from consent_broker.oauth.opaque import digest
from consent_broker.oauth.profiles import Profile
from consent_broker.oauth.rfc7517_client_keys import ClientKeys, KeysUnavailable
from consent_broker.oauth.throttling import WINDOW, Count, Failures
from consent_broker.resource_server.reading import read_json
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import table_of
from registry.directory.client_keys import fits
from registry.questions import NO_DISK, Question

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFETIME = 300
LEEWAY = 10
MAX_ASSERTION = 8_192
MAX_JTI = 255
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TRAVELLING_KEYS = {"jwk", "x5u", "x5c", "crit", "b64", "zip"}
_TYPES = {None, "JWT", "client-authentication+jwt"}
FindClient = Callable[[str], Client | None]

# Made once: every request of a record system uses an assertion up.
_INSERT, _NAMES = insert(table_of(ClientAssertion)).on_conflict_do_nothing(), ["client_id", "jti_hash", "expires_at"]
_USE = Question(_INSERT.returning(ClientAssertion.client_id), _NAMES)
_USE_ONLY_TO_LOOK = Question(_INSERT.returning(ClientAssertion.client_id, NO_DISK), _NAMES)


class TooManyFailures(InvalidClientError):  # type: ignore[misc]  # Authlib ships no types
    """Too many failures of one client from one address in a minute."""

    status_code = 429
    description = "Too many failures: wait a minute"

    def get_headers(self) -> list[tuple[str, str]]:
        """RFC 6585 §4."""
        return [*super().get_headers(), ("Retry-After", str(int(WINDOW)))]


@dataclass(frozen=True, slots=True)
class PrivateKeyJwt:
    """Authlib's client authentication hook; the client's profile says which algorithms and which audience."""

    session: Session
    issuer: str
    keys: ClientKeys
    failures: Failures
    only_looks: bool = False
    """Whether the request changes nothing: then the use of its assertion does not wait for the disk."""

    def __call__(self, find_client: FindClient, request: Any) -> Client:
        """Authenticate; raises InvalidClientError, or InvalidRequestError for two methods at once (RFC 6749 §2.3)."""
        form: dict[str, str] = request.form
        if "client_assertion" in form and (request.headers.get("Authorization") or "client_secret" in form):
            raise InvalidRequestError("Authenticate with a client assertion and nothing else")
        if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
            raise _refusal("A client assertion (private_key_jwt) is required")
        peeked = peek(form["client_assertion"])
        client = self._client(find_client, peeked.claims, form.get("client_id"))
        try:
            self.verify(peeked, client)
        except InvalidClientError as error:
            self._note(request.address, client, str(error.description))
            raise
        if client.unusable:
            self._note(request.address, client, client.unusable)
            raise _refusal("The record system is not accredited now")
        return client

    def _client(self, find_client: FindClient, claims: dict[str, Any], named: str | None) -> Client:
        client_id = claims.get("sub")
        if not isinstance(client_id, str) or claims.get("iss") != client_id or named not in {None, client_id}:
            raise _refusal("The assertion's issuer, subject and client differ")
        client = find_client(client_id)
        if client is None:
            raise _refusal("The client assertion can not be verified")
        return client

    def verify(self, peeked: "Peeked", client: Client) -> dict[str, Any]:
        """The claims of an assertion the client signed for us and had not used; raises InvalidClientError."""
        header, claims = peeked.header, peeked.claims
        if header.get("alg") not in client.profile.algorithms:
            raise _refusal(f"Sign the assertion with one of {' '.join(client.profile.algorithms)}")
        if "jku" in header and header["jku"] != client.jwks_uri:
            raise _refusal("The assertion names keys at another address than is registered")
        key = self._select_key(client, header)
        try:
            signed = jws.validate_compact(peeked.signature, key, algorithms=[header["alg"]])
        except (JoseError, ValueError, TypeError):
            signed = False
        if not signed:
            raise _refusal("The client assertion can not be verified")
        if claims.get("aud") != client.profile.audience(self.issuer):
            raise _refusal(f"The assertion's audience must be {client.profile.audience(self.issuer)}, as one string")
        expires = _check_claims(claims, client.profile)
        self._use_once(client.client_id, claims["jti"], expires)
        return claims

    def _select_key(self, client: Client, header: dict[str, Any]) -> Key:
        """The one key of the client's that fits (SMART Backend Services §4.1.2); never a weak or symmetric one."""
        try:
            members = self.keys.find(client, header.get("kid"), before_waiting=self.session.commit)
        except KeysUnavailable:
            raise _refusal("The client's keys can not be had from its jwks_uri now") from None
        if "kid" in header:
            members = [member for member in members if member.get("kid") == header["kid"]]
        fitting = [member for member in members if fits(member, header["alg"])]
        if len(fitting) != 1:
            raise _refusal("No single key of the client's fits the assertion")
        try:
            return _key(json.dumps(fitting[0]))
        except (JoseError, ValueError, TypeError, KeyError):
            raise _refusal("The client's key can not be used") from None

    def _use_once(self, client_id: str, jti: str, expires: int) -> None:
        until = datetime.fromtimestamp(expires + LEEWAY, UTC)
        use = _USE_ONLY_TO_LOOK if self.only_looks else _USE
        if not use.ask(self.session, client_id=client_id, jti_hash=digest(jti), expires_at=until):
            raise _refusal("The assertion was used before")

    def _note(self, address: str, client: Client, reason: str) -> None:
        """Record a failure of a client there is; beyond what one may fail, tell whoever asks to wait instead."""
        count = self.failures.note(address, client.client_id)
        if count is Count.BEYOND:
            raise TooManyFailures
        event = Event(
            action="oauth:client:authenticated",
            outcome="refused",
            reason=reason,
            client_id=client.client_id,
            establishment_id=client.establishment_id,
            actor_role="record-system",
            detail={"throttled": True} if count is Count.AT_LIMIT else {},
        )
        record(self.session, event)


@lru_cache(maxsize=1024)
def _key(member: str) -> Key:
    """The key of a JWK that was found fit; reading one costs as much as verifying with it."""
    return import_key(json.loads(member))


def _refusal(description: str) -> InvalidClientError:
    return InvalidClientError(description, status_code=401)


@dataclass(frozen=True, slots=True)
class Peeked:
    """An assertion read once: header and claims to find the client and its key by, not believed until verified."""

    signature: jws.CompactSignature
    header: dict[str, Any]
    claims: dict[str, Any]


def peek(assertion: str) -> Peeked:
    """An assertion, unverified; raises InvalidClientError for what is none."""
    if len(assertion) > MAX_ASSERTION or not _COMPACT.fullmatch(assertion):
        raise _refusal("The client assertion is not a compact JWT")
    try:
        signature = jws.extract_compact(assertion.encode())
        header, claims = signature.headers(), read_json(signature.payload)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise _refusal("The client assertion is not a compact JWT") from None
    if not isinstance(claims, dict):
        raise _refusal("The client assertion is not a compact JWT")
    if header.get("typ") not in _TYPES or _TRAVELLING_KEYS & header.keys():
        raise _refusal("The assertion's header holds what it may not")
    return Peeked(signature, header, claims)


def _check_claims(claims: dict[str, Any], profile: Profile) -> int:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise _refusal("The assertion needs a jti")
    issued = claims.get("iat", None if profile.needs_iat else int(time.time()))
    return _check_times(issued, claims.get("exp"), claims.get("nbf", 0))


def _check_times(issued: object, expires: object, starts: object) -> int:
    """FAPI 2.0 §5.3.2.1: 10 s in the future are accepted, 60 s are not; a life of 300 s at most."""
    if type(issued) is not int or type(expires) is not int or type(starts) is not int:
        raise _refusal("The assertion needs iat and exp as whole seconds")
    now = time.time()
    if expires <= now - LEEWAY or expires > now + MAX_LIFETIME + LEEWAY or issued < now - MAX_LIFETIME - LEEWAY:
        raise _refusal("The assertion has expired or lives longer than 300 s")
    if max(issued, starts) > now + LEEWAY:
        raise _refusal("The assertion is not valid yet")
    return expires
