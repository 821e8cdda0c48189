"""Keys a client may sign with (RFC 7517): public, asymmetric, strong, for signatures; checked wherever one arrives."""

import json
import re
import warnings
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

MINIMUM_RSA_BITS = 2048
MAX_PUBLISHED = 50
ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    "fapi2": ("PS256", "ES256", "EdDSA", "Ed25519"),
    "smart": ("RS384", "ES384"),
}
"""What each client profile signs with: FAPI 2.0 §5.4.1 (Ed25519 is RFC 9864's name for EdDSA), SMART App Launch 2.2."""

_KID = re.compile(r"[A-Za-z0-9._~-]{1,100}")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_CURVES = {("EC", "P-256"): {"ES256"}, ("EC", "P-384"): {"ES384"}, ("OKP", "Ed25519"): {"EdDSA", "Ed25519"}}


class UnusableKeys(ValueError):
    """The key set may not be used; the message says why and holds no key."""


def check_keys(jwks: Any, jwks_uri: str | None, profile: str) -> None:
    """Raise UnusableKeys unless a client has either a usable key set or the address of one."""
    if (jwks is None) == (jwks_uri is None):
        raise UnusableKeys("jwks or jwks_uri: a client has one of them, and not both")
    if jwks_uri is None:
        try:
            check_key_set(jwks, profile)
        except UnusableKeys as error:
            raise UnusableKeys(f"jwks: {error}") from None


def check_key_set(value: Any, profile: str) -> None:
    """Raise UnusableKeys unless every key is public, strong, named by a kid of its own, and one fits the profile."""
    members = _members(value)
    kids = [member["kid"] for member in members]
    if len(set(kids)) != len(kids) or not all(isinstance(kid, str) and _KID.fullmatch(kid) for kid in kids):
        raise UnusableKeys("each key needs a known kty and a kid of its own (letters, digits, . _ ~ -)")
    if any(member.get("use", "sig") != "sig" for member in members):
        raise UnusableKeys("keys are for signatures: register none for encryption")
    if not all(_strong(member) for member in members):
        raise UnusableKeys(f"keys must be P-256, P-384, Ed25519, or RSA of at least {MINIMUM_RSA_BITS} bits")
    if not any(fits(member, algorithm) for member in members for algorithm in ALGORITHMS[profile]):
        raise UnusableKeys(f"none can sign as a {profile} client must: {', '.join(ALGORITHMS[profile])}")


def published_keys(value: Any, profile: str) -> list[dict[str, Any]]:
    """Of a key set a client publishes, those that fit its profile: it may hold others for other purposes.

    Raises UnusableKeys when it is no key set, gives a secret away, or holds none that fits.
    """
    members = value.get("keys") if isinstance(value, dict) else None
    if (
        not isinstance(members, list)
        or len(members) > MAX_PUBLISHED
        or not all(isinstance(one, dict) for one in members)
    ):
        raise UnusableKeys("is not a JWK Set")
    if any(_is_secret(member) for member in members):
        raise UnusableKeys("holds a private or symmetric key")
    fitting = [one for one in members if any(fits(one, algorithm) for algorithm in ALGORITHMS[profile])]
    if not fitting:
        raise UnusableKeys("holds no key that fits the profile")
    return fitting


def fits(member: Mapping[str, Any], algorithm: str) -> bool:
    """Whether a key may verify that algorithm's signatures; a weak, secret or encrypting one never may."""
    if member.get("use", "sig") != "sig" or member.get("alg", algorithm) != algorithm or _is_secret(member):
        return False
    kind = (str(member.get("kty")), str(member.get("crv")))
    if kind[0] == "RSA":
        return algorithm in {"PS256", "RS384"} and _strong(member)
    return algorithm in _CURVES.get(kind, ())


def _members(value: Any) -> list[dict[str, Any]]:
    """The keys of the set, each of which can be read and has a kid."""
    try:
        text = json.dumps(value)
        members: list[dict[str, Any]] = list(value["keys"])
        secret = any(_is_secret(member) for member in members)
        read = 0 if secret else _count(value)
        named = [member["kid"] for member in members]
    except (JoseError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = type(error).__name__
        raise UnusableKeys(
            f"is not a usable JWK Set: each key needs its kty, its parameters and a kid ({reason})"
        ) from None
    if secret:
        raise UnusableKeys("holds a private or symmetric key: send public keys only, and replace this one")
    if "\\u0000" in text:
        raise UnusableKeys("holds a NUL character")
    if read != len(named):
        raise UnusableKeys("each key needs a known kty and a kid of its own (letters, digits, . _ ~ -)")
    return members


def _count(value: Any) -> int:
    """How many keys of the set can be read; joserfc leaves out kinds it does not know."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weak keys are refused in words of ours
        return len(KeySet.import_key_set(value).keys)


def _is_secret(member: Mapping[str, Any]) -> bool:
    return member.get("kty") == "oct" or not _PRIVATE.isdisjoint(member)


def _strong(member: Mapping[str, Any]) -> bool:
    if member.get("kty") == "RSA":
        return _bits(member.get("n")) >= MINIMUM_RSA_BITS
    return (str(member.get("kty")), str(member.get("crv"))) in _CURVES


def _bits(modulus: object) -> int:
    """The size of an RSA modulus, read before the key is imported: importing a weak one is already a mistake."""
    if not isinstance(modulus, str):
        return 0
    try:
        return int.from_bytes(urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()
    except ValueError:
        return 0
