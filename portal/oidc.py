"""ID Perú as an OpenID Connect provider: where to send the browser, and what its answer proves.

OpenID Connect Core 1.0 §3.1 (code flow), RFC 7636 (S256); signatures by joserfc against the provider's JWKS.
"""

import hashlib
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from ssl import SSLContext
from threading import Lock
from typing import Any, TypeGuard
from urllib.parse import urlencode

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from portal.errors import SignInFailed, SignInUnavailable
from portal.session import Identity, derive

ALGORITHMS = ["ES256", "PS256", "RS256"]
CLOCK_SKEW = 30
_KEEP_SECONDS = 3600
_KEYS_MIN_SECONDS = 30
_WAIT_SECONDS = 2
_REST_SECONDS = 10
_DNI_LENGTH = 8


@cache
def _trust() -> SSLContext:
    """The machine's trust store, read once a process: reading it takes longer than most requests."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How the provider knows us."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str


class IdPeru:
    """One provider; keeps its metadata and keys for a while, and nothing about anyone."""

    def __init__(self, registration: Registration, http: httpx.Client | None = None) -> None:
        self.registration = registration
        self._http = http or httpx.Client(verify=_trust(), timeout=10, follow_redirects=False)
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._asking = Lock()
        self._failed: float | None = None

    def authorization_url(self, secret: str, acr: int, max_age: int | None) -> str:
        """Where the browser goes to prove who it is; state, nonce and PKCE challenge all derive from its secret."""
        query = {
            "response_type": "code",
            "client_id": self.registration.client_id,
            "redirect_uri": self.registration.redirect_uri,
            "scope": "openid profile",
            "state": derive(secret, "state"),
            "nonce": derive(secret, "nonce"),
            "code_challenge": _challenge(derive(secret, "verifier")),
            "code_challenge_method": "S256",
            "acr_values": str(acr),
        }
        if max_age is not None:
            query["max_age"] = str(max_age)
        return f"{self._endpoint('authorization_endpoint')}?{urlencode(query)}"

    def identify(self, code: str, secret: str, acr: int, max_age: int | None) -> Identity:
        """Redeem the code and verify the ID token (§3.1.3.7); raises SignInFailed or SignInUnavailable."""
        tokens = self._redeem(code, derive(secret, "verifier"))
        claims = self.verified(str(tokens.get("id_token", "")))
        self._check(claims, derive(secret, "nonce"), acr, max_age)
        return _identity(claims)

    def _redeem(self, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.registration.redirect_uri,
            "code_verifier": verifier,
            "client_id": self.registration.client_id,
            "client_secret": self.registration.client_secret,
        }
        return self._json("POST", self._endpoint("token_endpoint"), form)

    def verified(self, token: str) -> dict[str, Any]:
        """The claims of what the provider signed, none of them checked; raises SignInFailed, SignInUnavailable."""
        try:
            return jwt.decode(token, self._key_set(), algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            try:
                return jwt.decode(token, self._key_set(refresh=True), algorithms=ALGORITHMS).claims
            except (JoseError, ValueError) as error:
                raise SignInFailed(f"the token does not verify: {type(error).__name__}") from error

    def _check(self, claims: dict[str, Any], nonce: str, acr: int, max_age: int | None) -> None:
        audience = claims.get("aud")
        moment = time.time()
        wrong = {
            "iss": claims.get("iss") != self.registration.issuer,
            "aud": self.registration.client_id not in (audience if isinstance(audience, list) else [audience]),
            "azp": isinstance(audience, list)
            and len(audience) > 1
            and claims.get("azp") != self.registration.client_id,
            "exp": not is_number(claims.get("exp")) or claims["exp"] + CLOCK_SKEW < moment,
            "iat": not is_number(claims.get("iat")) or claims["iat"] - CLOCK_SKEW > moment,
            "nonce": claims.get("nonce") != nonce,
            "acr": _level(claims) < acr,
            "auth_time": not is_number(claims.get("auth_time")) or claims["auth_time"] - CLOCK_SKEW > moment,
        }
        if any(wrong.values()):
            raise SignInFailed(f"ID token claims refused: {[name for name, bad in wrong.items() if bad]}")
        if max_age is not None and claims["auth_time"] + max_age + CLOCK_SKEW < moment:
            raise SignInFailed("the provider ignored max_age")

    def _key_set(self, *, refresh: bool = False) -> KeySet:
        age = time.monotonic() - self._keys[0] if self._keys else None
        if self._keys and age is not None and age < (_KEYS_MIN_SECONDS if refresh else _KEEP_SECONDS):
            return self._keys[1]
        try:
            keys = KeySet.import_key_set(self._published(self._endpoint("jwks_uri")))  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError) as error:
            raise SignInUnavailable("the provider's keys can't be read") from error
        self._keys = (time.monotonic(), keys)
        return keys

    def _endpoint(self, name: str) -> str:
        if self._metadata is None or time.monotonic() - self._metadata[0] > _KEEP_SECONDS:
            found = self._published(f"{self.registration.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self.registration.issuer:
                raise SignInUnavailable("the provider's metadata names another issuer")
            self._metadata = (time.monotonic(), found)
        return str(self._metadata[1][name])

    def _published(self, url: str) -> dict[str, Any]:
        """What the provider publishes, asked by one at a time and not again right after it failed.

        Anybody may send a token that leads here: what a provider that is down costs must not grow with them.
        """
        if not self._asking.acquire(timeout=_WAIT_SECONDS):
            raise SignInUnavailable("the provider is being asked and does not answer")
        try:
            if self._failed is not None and time.monotonic() - self._failed < _REST_SECONDS:
                raise SignInUnavailable("the provider failed a moment ago")
            self._failed = time.monotonic()
            found = self._json("GET", url)
            self._failed = None
        except SignInFailed as error:
            raise SignInUnavailable("the provider does not publish what it must") from error
        finally:
            self._asking.release()
        return found

    def _json(self, method: str, url: str, form: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            response = self._http.request(method, url, data=form)
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SignInUnavailable(f"the provider failed: {type(error).__name__}") from error
        if response.status_code >= 500 or not isinstance(body, dict):
            raise SignInUnavailable(f"the provider answered {response.status_code}")
        if response.status_code >= 400:
            raise SignInFailed(f"the provider refused with {response.status_code}")
        return body


def named_by(issuer: str, name: object) -> str | None:
    """A provider's name for somebody or something, told apart from another's; None where it says none."""
    return f"{issuer} {name}" if isinstance(name, str) and name else None


def _identity(claims: dict[str, Any]) -> Identity:
    document = str(claims.get("doc", ""))
    if len(document) != _DNI_LENGTH or not (document.isascii() and document.isdigit()):
        raise SignInFailed("the ID token carries no DNI")
    names = [str(claims[key]) for key in ("first_name", "last_name") if claims.get(key)]
    return Identity(
        document=document,
        name=" ".join(names)[:120] or "Persona identificada",
        acr=_level(claims),
        auth_time=datetime.fromtimestamp(claims["auth_time"], UTC),
        provider_subject=named_by(claims["iss"], claims.get("sub")),
        provider_session=named_by(claims["iss"], claims.get("sid")),
    )


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _level(claims: dict[str, Any]) -> int:
    text = str(claims.get("acr", ""))
    return int(text) if text in {"0", "1", "2", "3"} else -1


def is_number(value: object) -> TypeGuard[float]:
    """Whether a claim is a number (a boolean is none)."""
    return isinstance(value, int | float) and not isinstance(value, bool)
