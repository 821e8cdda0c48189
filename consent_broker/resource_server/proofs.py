"""DPoP proofs (RFC 9449): whoever presents a token holds the key it is bound to. Reading one needs no store."""

import hmac
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlsplit

from joserfc import jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import Key, import_key
from joserfc.jws import JWSRegistry

from consent_broker.resource_server.reading import read_json

ALGORITHMS = ("ES256", "PS256", "EdDSA", "Ed25519")
TYPE = "dpop+jwt"
MAX_PROOF = 8_192
MAX_JTI = 255
PAST, FUTURE = 60, 10
"""Seconds around now in which a proof may have been made (FAPI 2.0 §5.3.2.1 for the future)."""

MIN_RSA_BITS = 2048
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_HEADER = {"typ", "alg", "jwk", "kid"}
_PUBLIC = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n"), "OKP": ("crv", "kty", "x")}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_KINDS = {"ES256": ("EC", "P-256"), "PS256": ("RSA", None), "EdDSA": ("OKP", "Ed25519"), "Ed25519": ("OKP", "Ed25519")}
_FAR = 2**53
_PORTS = {"http": 80, "https": 443}


class InvalidProof(Exception):
    """The proof proves nothing; the message says why and holds nothing of it."""


class _Roomy(JWSRegistry):
    """joserfc's rules, with room in the header for the key that travels in it."""

    max_header_length = MAX_PROOF


_ROOMY = _Roomy(algorithms=ALGORITHMS)


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds: by which key (its RFC 7638 thumbprint), under which id, with which nonce, until when."""

    thumbprint: str
    jti: str
    nonce: str | None
    ends_at: int

    @property
    def key(self) -> bytes:
        """What it is remembered by, so that it counts once."""
        return sha256(f"{self.thumbprint}.{self.jti}".encode("utf-8", "surrogatepass")).digest()

    def require_key(self, thumbprint: object) -> None:
        """Raise InvalidProof unless it is by the key of that thumbprint."""
        if self.thumbprint != thumbprint:
            raise InvalidProof("it is by another key")


def read_proof(proof: str, method: str, url: str, token: str | None = None) -> Proof:
    """Check a proof for one request (§4.3) and, with `token`, that it is about that token; raises InvalidProof.

    Left to the caller: the nonce, that it was not used before, and that the key is the token's.
    """
    if len(proof) > MAX_PROOF or not _COMPACT.fullmatch(proof):
        raise InvalidProof("one compact JWT in the DPoP header is needed")
    try:
        signature = jws.extract_compact(proof.encode(), registry=_ROOMY)
        header = signature.headers()
        _check_header(header)
        key, thumbprint = _key(_canonical(header))
        claims = _claims(signature, key)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidProof(f"the proof can not be verified ({type(error).__name__})") from None
    if claims.get("htm") != method or not _same_address(claims.get("htu"), url):
        raise InvalidProof("the proof is for another request")
    if token is not None and not _is_about(claims.get("ath"), token):
        raise InvalidProof("the proof is for another token")
    return Proof(thumbprint, _jti(claims), _nonce(claims), _ends_at(claims))


def _claims(signature: jws.CompactSignature, key: Key) -> dict[str, Any]:
    """What was signed, read once the signature holds; raises BadSignatureError, or ValueError for no JSON object."""
    if not jws.validate_compact(signature, key, registry=_ROOMY):
        raise BadSignatureError
    claims = read_json(signature.payload)
    if not isinstance(claims, dict):
        raise TypeError("no JSON object")
    return claims


def _check_header(header: Mapping[str, Any]) -> None:
    if header.get("typ") != TYPE or header.get("alg") not in ALGORITHMS or header.keys() - _HEADER:
        raise InvalidProof("the proof's header holds what it may not")


def _canonical(header: Mapping[str, Any]) -> str:
    """The key that travels with the proof, its public members only; a private or weak one is refused unread."""
    jwk = header.get("jwk")
    if not isinstance(jwk, dict) or not _PRIVATE.isdisjoint(jwk) or jwk.get("use", "sig") != "sig":
        raise InvalidProof("the proof's key must be a public signature key")
    kind, curve = _KINDS[header["alg"]]
    if jwk.get("kty") != kind or jwk.get("crv") != curve or (kind == "RSA" and _bits(jwk.get("n")) < MIN_RSA_BITS):
        raise InvalidProof("the proof's key does not fit its algorithm, or is weak")
    return json.dumps({name: jwk[name] for name in _PUBLIC[kind]})


def _bits(modulus: object) -> int:
    if not isinstance(modulus, str):
        return 0
    return int.from_bytes(urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()


@lru_cache(maxsize=1024)
def _key(canonical: str) -> tuple[Key, str]:
    key = import_key(json.loads(canonical))
    return key, key.thumbprint()


def _same_address(claimed: object, url: str) -> bool:
    """Whether `htu` is this address: query and fragment don't count, case and default ports are alike (§4.3)."""
    if not isinstance(claimed, str) or len(claimed) > MAX_PROOF:
        return False
    try:
        return _normal(claimed) == _normal(url)
    except ValueError:
        return False


def _normal(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError("user information")
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme), unquote(parts.path) or "/"


def _is_about(claimed: object, token: str) -> bool:
    expected = urlsafe_b64encode(sha256(token.encode()).digest()).rstrip(b"=")
    return isinstance(claimed, str) and hmac.compare_digest(claimed.encode("utf-8", "replace"), expected)


def _jti(claims: Mapping[str, Any]) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI:
        raise InvalidProof("the proof needs a jti")
    return jti


def _nonce(claims: Mapping[str, Any]) -> str | None:
    nonce = claims.get("nonce")
    if nonce is not None and not isinstance(nonce, str):
        raise InvalidProof("the nonce is a string")
    return nonce


def _ends_at(claims: Mapping[str, Any]) -> int:
    issued, starts, ends = claims.get("iat"), claims.get("nbf", 0), claims.get("exp", _FAR)
    if type(issued) is not int or type(starts) is not int or type(ends) is not int:
        raise InvalidProof("the proof needs iat in whole seconds")
    now = time.time()
    if issued < now - PAST or ends <= now - FUTURE:
        raise InvalidProof("the proof is too old")
    if max(issued, starts) > now + FUTURE:
        raise InvalidProof("the proof is not valid yet")
    return issued + PAST + 1
