"""The OpenID Connect side of ID Perú v2: strict requests, codes used once, signed ID tokens, acr 0 to 3."""

import hashlib
import hmac
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.datastructures import MultiDict

from sandbox.citizens import Citizen

T = TypeVar("T")
MAX_PARAMETER = 2048
CODE_SECONDS, TOKEN_SECONDS, SESSION_SECONDS, TRANSACTION_SECONDS = 60, 300, 1800, 900
METHODS = {0: ["only_questions"], 1: ["one_factor"], 2: ["two_factor"], 3: ["pki_dnie"]}
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_SECONDS = 120
PROMPTS = frozenset({"none", "login", "consent"})


class ProtocolError(Exception):
    """The request breaks the protocol: RFC 6749 error code and what is wrong."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code, self.description, self.status = code, description, status


@dataclass(frozen=True, slots=True)
class Party:
    """The relying party ID Perú knows: the registry's portal."""

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]
    logout_uri: str = ""
    """Where it is told that somebody signed out (OpenID Connect Back-Channel Logout 1.0)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationRequest:
    """A validated authentication request (OpenID Connect Core §3.1.2.1)."""

    redirect_uri: str
    state: str
    nonce: str
    challenge: str
    acr: int
    max_age: int | None
    prompt: frozenset[str]
    login_hint: str


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody signed in: who, how strongly, when."""

    citizen: Citizen
    acr: int
    at: int
    sid: str = field(default_factory=lambda: secrets.token_urlsafe(16))


@dataclass(slots=True)
class Attempt:
    """A sign-in under way; `citizen` is set once the password was right."""

    request: AuthenticationRequest
    failures: int = 0
    citizen: Citizen | None = None


class Shelf(Generic[T]):
    """Values under unguessable keys, for a while; safe between threads, bounded."""

    def __init__(self, seconds: float, size: int = 10_000) -> None:
        self._seconds, self._size = seconds, size
        self._items: dict[str, tuple[float, T]] = {}
        self._lock = threading.Lock()

    def put(self, value: T) -> str:
        """Keep `value` and return its key; the oldest makes room."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._items) >= self._size:
                self._items.pop(next(iter(self._items)))
            self._items[key] = (time.monotonic() + self._seconds, value)
        return key

    def find(self, key: str) -> T | None:
        """Return the value, or None when unknown or too old."""
        with self._lock:
            ends, value = self._items.get(key, (0.0, None))
        return value if ends > time.monotonic() else None

    def take(self, key: str) -> T | None:
        """Return the value once: the next call finds nothing."""
        with self._lock:
            ends, value = self._items.pop(key, (0.0, None))
        return value if ends > time.monotonic() else None


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider's keys, its one relying party, and what it remembers between requests."""

    issuer: str
    party: Party
    signing_jwk: dict[str, Any]
    attempts: Shelf[Attempt] = field(default_factory=lambda: Shelf(TRANSACTION_SECONDS))
    sessions: Shelf[Session] = field(default_factory=lambda: Shelf(SESSION_SECONDS))
    codes: Shelf[tuple[AuthenticationRequest, Session]] = field(default_factory=lambda: Shelf(CODE_SECONDS))
    tokens: Shelf[Session] = field(default_factory=lambda: Shelf(TOKEN_SECONDS))

    def answer(self, redirect_uri: str, state: str, **parameters: str) -> str:
        """Return the address that takes the browser back, with state and iss (RFC 9207)."""
        query = parameters | {"iss": self.issuer} | ({"state": state} if state else {})
        return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(query)}"

    def grant(self, request: AuthenticationRequest, session: Session) -> str:
        """Return the address that takes the browser back with a code."""
        return self.answer(request.redirect_uri, request.state, code=self.codes.put((request, session)))

    def redeem(self, form: MultiDict[str, str]) -> dict[str, Any]:
        """Exchange a code for tokens (§3.1.3); the code is spent even when the rest is wrong."""
        if only(form, "grant_type") != "authorization_code":
            raise ProtocolError("unsupported_grant_type", "Sólo se acepta authorization_code")
        found = self.codes.take(only(form, "code"))
        if found is None:
            raise ProtocolError("invalid_grant", "El código no existe, venció o ya fue usado")
        request, session = found
        if only(form, "redirect_uri") != request.redirect_uri:
            raise ProtocolError("invalid_grant", "redirect_uri no coincide")
        if not hmac.compare_digest(s256(only(form, "code_verifier")), request.challenge):
            raise ProtocolError("invalid_grant", "code_verifier no corresponde")
        return {
            "access_token": self.tokens.put(session),
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": "openid profile",
            "id_token": self._id_token(request, session),
        }

    def claims(self, session: Session) -> dict[str, Any]:
        """Return what ID Perú says of somebody: a pairwise subject, the DNI (`doc`), the given names."""
        subject = hmac.new(self.party.client_secret.encode(), session.citizen.dni.encode(), hashlib.sha256)
        return {
            "sub": subject.hexdigest()[:32],
            "doc": session.citizen.dni,
            "first_name": session.citizen.given_names,
            "sid": session.sid,
            "acr": str(session.acr),
            "amr": METHODS[session.acr],
            "auth_time": session.at,
        }

    def logout_token(self, session: Session) -> str:
        """Return what the relying party is told when that session ends (Back-Channel Logout §2.4)."""
        now, said = int(time.time()), self.claims(session)
        body = {
            "iss": self.issuer, "aud": self.party.client_id, "iat": now, "exp": now + LOGOUT_SECONDS,
            "jti": secrets.token_urlsafe(16), "sub": said["sub"], "sid": session.sid, "events": {LOGOUT: {}},
        }  # fmt: skip
        header = {"alg": "ES256", "kid": self.signing_jwk["kid"], "typ": "logout+jwt"}
        return jwt.encode(header, body, ECKey.import_key(self.signing_jwk), algorithms=["ES256"])

    def _id_token(self, request: AuthenticationRequest, session: Session) -> str:
        now = int(time.time())
        times = {"iss": self.issuer, "aud": self.party.client_id, "iat": now, "exp": now + TOKEN_SECONDS}
        nonce = {"nonce": request.nonce} if request.nonce else {}
        header = {"alg": "ES256", "kid": self.signing_jwk["kid"], "typ": "JWT"}
        key = ECKey.import_key(self.signing_jwk)
        return jwt.encode(header, self.claims(session) | times | nonce, key, algorithms=["ES256"])


def s256(verifier: str) -> str:
    """Return the PKCE challenge of a verifier (RFC 7636 §4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def only(parameters: MultiDict[str, str], name: str) -> str:
    """Return the single value of a parameter, empty when absent; raises ProtocolError when repeated or too long."""
    values = parameters.getlist(name)
    if len(values) > 1:
        raise ProtocolError("invalid_request", f"El parámetro {name} está repetido")
    value = values[0] if values else ""
    if len(value) > MAX_PARAMETER or not value.isprintable():
        raise ProtocolError("invalid_request", f"El parámetro {name} no es válido")
    return value


def check_return_address(parameters: MultiDict[str, str], party: Party) -> str:
    """Return the registered redirect URI asked for; raises ProtocolError, which must be shown, never redirected."""
    if only(parameters, "client_id") != party.client_id:
        raise ProtocolError("unauthorized_client", "La aplicación que lo envió no está registrada")
    address = only(parameters, "redirect_uri")
    if address not in party.redirect_uris:
        raise ProtocolError("invalid_request", "La dirección de retorno no está registrada")
    return address


def read_request(parameters: MultiDict[str, str], redirect_uri: str) -> AuthenticationRequest:
    """Return the validated request; raises ProtocolError, which goes back to the relying party."""
    if only(parameters, "response_type") != "code":
        raise ProtocolError("unsupported_response_type", "response_type debe ser code")
    if "openid" not in only(parameters, "scope").split():
        raise ProtocolError("invalid_scope", "scope debe contener openid")
    if only(parameters, "response_mode") not in {"", "query"}:
        raise ProtocolError("invalid_request", "response_mode debe ser query")
    challenge = only(parameters, "code_challenge")
    if only(parameters, "code_challenge_method") != "S256" or len(challenge) != 43:
        raise ProtocolError("invalid_request", "Se requiere PKCE con S256")
    prompt = frozenset(only(parameters, "prompt").split())
    if prompt - PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise ProtocolError("invalid_request", "prompt no es válido")
    return AuthenticationRequest(
        redirect_uri=redirect_uri,
        state=only(parameters, "state"),
        nonce=only(parameters, "nonce"),
        challenge=challenge,
        acr=_level(only(parameters, "acr_values")),
        max_age=_age(only(parameters, "max_age")),
        prompt=prompt,
        login_hint=only(parameters, "login_hint"),
    )


def usable(session: Session | None, request: AuthenticationRequest, now: float) -> Session | None:
    """Return the session when it is strong and fresh enough for the request."""
    if session is None or "login" in request.prompt or session.acr < request.acr:
        return None
    if request.max_age is not None and now - session.at > request.max_age:
        return None
    return session


def _level(text: str) -> int:
    levels = text.split() or ["1"]
    if not all(level in {"0", "1", "2", "3"} for level in levels):
        raise ProtocolError("invalid_request", "acr_values acepta 0, 1, 2 y 3")
    return min(int(level) for level in levels)


def _age(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        raise ProtocolError("invalid_request", "max_age no es válido")
    return int(text)
