"""Keys and signatures of the kit, and the checks a registry makes of what a client signs."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, import_key
from joserfc.jws import JWSRegistry

CLIENT_ALGORITHMS = ["ES256", "PS256", "EdDSA", "Ed25519"]
MAX_JWT = 8_192


class _Roomy(JWSRegistry):
    """joserfc's rules, with room in the header for the key that travels in it."""

    max_header_length = MAX_JWT


ROOMY = _Roomy(algorithms=CLIENT_ALGORITHMS)


class Unsigned(Exception):
    """A statement that does not verify; the message says why, in Spanish."""


def make_key() -> ECKey:
    """A P-256 key named by its thumbprint."""
    key = ECKey.generate_key("P-256", private=True)
    return ECKey.import_key(key.as_dict(private=True) | {"kid": key.thumbprint(), "use": "sig", "alg": "ES256"})


def sign(key: ECKey, claims: Mapping[str, Any], typ: str, **header: Any) -> str:
    """A compact JWT by that key; `header` overrides."""
    full = {"alg": "ES256", "kid": key.kid, "typ": typ} | header
    return jwt.encode(full, dict(claims), key, algorithms=["ES256"], registry=ROOMY)


def base64url(content: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def prove(key: ECKey, method: str, url: str, token: str | None = None, **claims: Any) -> str:
    """A DPoP proof (RFC 9449 §4.2); `claims` override, and None leaves one out."""
    made: dict[str, Any] = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time())}
    if token is not None:
        made["ath"] = base64url(hashlib.sha256(token.encode()).digest())
    made = {name: value for name, value in (made | claims).items() if value is not None}
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, made, key, algorithms=["ES256"], registry=ROOMY)


def read_assertion(assertion: str, keys: KeySet, client_id: str, issuer: str) -> dict[str, Any]:
    """The claims of a client assertion (RFC 7523 §3, FAPI 2.0 §5.3.3); raises Unsigned."""
    claims = _decode(assertion, keys)
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise Unsigned("iss y sub no son el client_id")
    if claims.get("aud") != issuer:
        raise Unsigned("aud no es el emisor, como una sola cadena")
    issued, expires = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(expires) is not int or not isinstance(claims.get("jti"), str):
        raise Unsigned("faltan iat, exp o jti")
    now = time.time()
    if expires <= now or issued > now + 60 or expires - issued > 300:
        raise Unsigned("no está vigente, o vale más de 300 s")
    return claims


def read_client_proof(proof: str, method: str, url: str, token: str | None) -> tuple[str, dict[str, Any]]:
    """The thumbprint of a client's DPoP proof and its claims (RFC 9449 §4.3); raises Unsigned."""
    try:
        header = jws.extract_compact(proof.encode(), registry=ROOMY).headers()
        key = import_key(dict(header["jwk"]))
        claims = jwt.decode(proof, key, algorithms=CLIENT_ALGORITHMS, registry=ROOMY).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise Unsigned(f"no se puede verificar ({type(error).__name__})") from None
    if header.get("typ") != "dpop+jwt" or "d" in header["jwk"]:
        raise Unsigned("typ no es dpop+jwt, o lleva una clave privada")
    if claims.get("htm") != method or claims.get("htu") != url:
        raise Unsigned(f"htm o htu no son los de la llamada ({method} {url})")
    if token is not None and claims.get("ath") != base64url(hashlib.sha256(token.encode()).digest()):
        raise Unsigned("ath no es el de este token")
    if type(claims.get("iat")) is not int or abs(time.time() - claims["iat"]) > 60 or not claims.get("jti"):
        raise Unsigned("iat no es de ahora, o falta jti")
    return key.thumbprint(), claims


def read_public_keys(text: str) -> KeySet:
    """The public keys of a file: a JWK Set or a JWK; raises ValueError."""
    try:
        content = json.loads(text)
        members = content.get("keys", [content])
        return KeySet([import_key({name: value for name, value in one.items() if name != "d"}) for one in members])
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        msg = "no es un JWK Set ni un JWK"
        raise ValueError(msg) from None


def _decode(token: str, keys: KeySet) -> dict[str, Any]:
    if len(token) > MAX_JWT:
        raise Unsigned("es demasiado largo")
    try:
        header = jws.extract_compact(token.encode()).headers()
        named = [key for key in keys.keys if key.kid == header.get("kid")] or list(keys.keys)
        if header.get("alg") not in CLIENT_ALGORITHMS or len(named) != 1:
            raise Unsigned(f"alg {header.get('alg')} o kid {header.get('kid')} no son los registrados")
        claims: dict[str, Any] = jwt.decode(token, named[0], algorithms=CLIENT_ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise Unsigned(f"no se puede verificar ({type(error).__name__})") from None
    return claims
