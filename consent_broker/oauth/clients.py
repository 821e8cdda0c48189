"""The OAuth client: an accredited record system or app of the directory, checked anew on every call."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from authlib.oauth2.rfc6749 import ClientMixin
from sqlalchemy.orm import Session

from consent_broker.oauth.profiles import PROFILES, Profile
from consent_broker.oauth.scopes import normalise
from registry.directory.registered import Registered, find_registered, list_registered

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
EMERGENCY = "https://www.gob.pe/minsa/RENHICE/oauth/grant-type/emergency"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105  # a name, no secret
GRANT_TYPES = frozenset(
    {"client_credentials", "authorization_code", "refresh_token", DEVICE_CODE, EMERGENCY, JWT_BEARER, TOKEN_EXCHANGE}
)
AUTH_METHOD = "private_key_jwt"
_CLIENT_ID = re.compile(r"[\x21-\x7e]{1,200}")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True, slots=True)
class Client(ClientMixin):  # type: ignore[misc]  # Authlib ships no types
    """A record system as Authlib's client (RFC 6749 §2): confidential, private_key_jwt only."""

    client_id: str
    profile: Profile
    establishment_id: UUID
    fhir_endpoint: str | None
    jwks: dict[str, Any] | None
    jwks_uri: str | None
    scopes: frozenset[str]
    redirect_uris: tuple[str, ...]
    unusable: str | None

    def check_grant_type(self, grant_type: str) -> bool:
        """Every accredited record system may use every grant we offer; scopes tell them apart."""
        return grant_type in GRANT_TYPES

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """One method at every endpoint, the token endpoint or not (Authlib's own mixin lets others pass there)."""
        return method == AUTH_METHOD and bool(endpoint)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Registered exactly, and a place codes may be sent to: https, or http on the loopback interface (RFC 8252)."""
        return redirect_uri in self.redirect_uris and _may_receive_codes(redirect_uri)

    def may_call_from(self, origin: str) -> bool:
        """Whether its pages of that origin may read our answers (CORS): an app's, where a redirect URI of it is."""
        return self.profile.cross_origin and any(origin == _origin(uri) for uri in self.redirect_uris)


@dataclass(frozen=True, slots=True)
class Requester:
    """The authenticated client of a request and the thumbprint of the key it proved to hold in it, if it did."""

    client: Client
    jkt: str | None


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"


def _may_receive_codes(redirect_uri: str) -> bool:
    parts = urlsplit(redirect_uri)
    if parts.fragment or parts.username or parts.password or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def find_client(session: Session, client_id: str, moment: datetime) -> Client | None:
    """The client of that id, usable or not (`unusable` says why); None when unknown."""
    found = find_registered(session, client_id) if _CLIENT_ID.fullmatch(client_id) else None
    return None if found is None else client_of(found, moment)


def is_app_origin(session: Session, origin: str, moment: datetime) -> bool:
    """Whether pages of that origin are those of an app that may be served now (a CORS preflight names no client)."""
    apps = (client_of(system, moment) for system in list_registered(session))
    return any(app.unusable is None and app.may_call_from(origin) for app in apps)


def client_of(system: Registered, moment: datetime) -> Client:
    """A record system of the directory as a client, usable at that moment or not."""
    return Client(
        client_id=system.client_id,
        profile=PROFILES[system.profile],
        establishment_id=system.establishment_id,
        fhir_endpoint=system.fhir_endpoint,
        jwks=system.jwks,
        jwks_uri=system.jwks_uri,
        scopes=normalise(system.scopes),
        redirect_uris=tuple(system.redirect_uris),
        unusable=system.unusable(moment),
    )
