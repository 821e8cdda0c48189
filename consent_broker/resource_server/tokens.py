"""Verifying an RFC 9068 access token by itself: form, type, algorithm, signature, issuer, audience and time."""

import re
import time
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from consent_broker.resource_server.answers import Refusal
from consent_broker.resource_server.jwks import IssuerKeys, KeysUnavailable

ALGORITHMS = ["ES256"]
MAX_TOKEN = 8192
MAX_LIFETIME = 300
LEEWAY = 10
_DPOP = re.compile(r"[Dd][Pp][Oo][Pp] +([A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+)")
_REQUIRED = ("jti", "client_id", "sub", "scope", "patient")
_TRAVELLING_KEYS = {"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"}


class TokenVerifier:
    """Accepts tokens of one issuer for one audience."""

    def __init__(self, issuer: str, audience: str, keys: IssuerKeys) -> None:
        self._issuer, self._audience, self._keys = issuer, audience, keys

    def verify(self, authorization: str | None) -> tuple[str, dict[str, Any]] | Refusal:
        """The raw token and its claims, or why not (RFC 6750 §3.1, RFC 9068 §4)."""
        if not authorization:
            return Refusal(401, None, "An access token is required")
        match = _DPOP.fullmatch(authorization) if len(authorization) <= MAX_TOKEN else None
        if match is None:
            return Refusal(401, "invalid_token", "The Authorization header holds no DPoP token")
        try:
            claims = self._decode(match[1])
        except KeysUnavailable:
            return Refusal(503, "temporarily_unavailable", "The issuer can not be reached")
        except (JoseError, ValueError, TypeError):
            return Refusal(401, "invalid_token", "The token can not be verified")
        problem = self._problem(claims)
        return Refusal(401, "invalid_token", problem) if problem else (match[1], claims)

    def _decode(self, token: str) -> dict[str, Any]:
        header = jws.extract_compact(token.encode()).headers()
        if header.get("typ") not in {"at+jwt", "application/at+jwt"} or header.get("alg") not in ALGORITHMS:
            msg = "not an RFC 9068 access token"
            raise ValueError(msg)
        kid = header.get("kid")
        if not isinstance(kid, str) or _TRAVELLING_KEYS & header.keys():
            msg = "the key must be named by kid alone"
            raise ValueError(msg)
        key = self._keys.find(kid)
        if key is None:
            msg = "unknown key"
            raise ValueError(msg)
        return jwt.decode(token, key, algorithms=ALGORITHMS).claims

    def _problem(self, claims: dict[str, Any]) -> str | None:
        if claims.get("iss") != self._issuer:
            return "The token has another issuer"
        if claims.get("aud") != self._audience:
            return "The token is for another audience"
        if not all(isinstance(claims.get(name), str) for name in _REQUIRED):
            return "The token lacks a required claim"
        if not isinstance(bound_key(claims), str):
            return "The token is bound to no key"
        return _untimely(claims)


def bound_key(claims: dict[str, Any]) -> object:
    """The thumbprint of the key the token is bound to (RFC 9449 §6.1)."""
    confirmation = claims.get("cnf")
    return confirmation.get("jkt") if isinstance(confirmation, dict) else None


def _untimely(claims: dict[str, Any]) -> str | None:
    times = (claims.get("iat"), claims.get("exp"), claims.get("nbf", 0))
    if not all(type(moment) is int for moment in times):
        return "The token has no usable times"
    issued, expires, starts = (int(moment or 0) for moment in times)
    now = time.time()
    if expires <= now or expires - issued > MAX_LIFETIME:
        return "The token has expired"
    return "The token is not valid yet" if max(issued, starts) > now + LEEWAY else None
