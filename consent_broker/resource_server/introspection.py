"""Asking the issuer whether a token is still alive (RFC 7662), authenticated with private_key_jwt (RFC 7523)."""

import hashlib
import threading
import time
import uuid
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_BYTES = 65_536
MAX_CACHED = 10_000


class IntrospectionUnavailable(Exception):
    """The issuer can't be asked; the guard fails closed."""


class Introspector:
    """Introspects at one fixed address; answers are kept for `cache_seconds` (0: ask each time)."""

    def __init__(
        self, http: httpx.Client, *, issuer: str, url: str, credentials: "Credentials", cache_seconds: float
    ) -> None:
        self._http, self._issuer, self._url = http, issuer, url
        self._credentials, self._cache_seconds = credentials, cache_seconds
        self._cache: dict[bytes, tuple[float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def kept(self, token: str) -> dict[str, Any] | None:
        """The answer about a token that is not older than `cache_seconds`, if there is one."""
        with self._lock:
            kept = self._cache.get(_key(token))
        return kept[1] if kept and time.monotonic() - kept[0] < self._cache_seconds else None

    def introspect(self, token: str) -> dict[str, Any]:
        """The issuer's answer of now; raises IntrospectionUnavailable."""
        answer = self._ask(token)
        if self._cache_seconds > 0:
            self._keep(_key(token), answer)
        return answer

    def _keep(self, key: bytes, answer: dict[str, Any]) -> None:
        with self._lock:
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[key] = (time.monotonic(), answer)

    def _ask(self, token: str) -> dict[str, Any]:
        form = {
            "token": token,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._credentials.assertion(self._issuer),
        }
        try:
            response = self._http.post(self._url, data=form)
            answer = response.raise_for_status().json() if len(response.content) <= MAX_BYTES else None
        except (httpx.HTTPError, ValueError) as error:
            raise IntrospectionUnavailable from error
        if not isinstance(answer, dict):
            raise IntrospectionUnavailable
        return answer


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


class Credentials:
    """The record system's client id and private EC P-256 key (a JWK)."""

    def __init__(self, client_id: str, private_jwk: dict[str, Any]) -> None:
        self.client_id = client_id
        self._key = ECKey.import_key(private_jwk)

    def assertion(self, audience: str) -> str:
        """A fresh client assertion: one audience, one use, one minute."""
        now = int(time.time())
        header = {"alg": "ES256", "kid": self._key.kid or self._key.thumbprint(), "typ": "JWT"}
        claims = {"iss": self.client_id, "sub": self.client_id, "aud": audience, "iat": now, "exp": now + 60,
                  "jti": str(uuid.uuid4())}  # fmt: skip
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])
