"""Detached JWS over a hash (ETSI TS 119 182-1 §5.2.8, JAdES `sigD` by `ObjectIdByURIHash`; RFC 7515 Appendix F).

The registry never holds the document, so the signature must be over its hash: the payload is empty, and `sigD` in the
protected header lists URIs and SHA-256 hashes.
"""

import binascii
import json
from base64 import b64decode, urlsafe_b64decode
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate, load_der_x509_certificate
from joserfc.errors import JoseError
from joserfc.jwk import import_key
from joserfc.jws import JWSRegistry, deserialize_compact
from joserfc.registry import HeaderParameter

from registry.locator.signatures.signed import MAX_BYTES, MAX_CERTIFICATES, BadSignatureError, Reason, Signed

ALGORITHMS = ["ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]
BY_HASH = "http://uri.etsi.org/19182/ObjectIdByURIHash"
SHA256 = frozenset({"S256", "http://www.w3.org/2001/04/xmlenc#sha256"})
MOST_DOCUMENTS = 50


def _object(value: Any) -> None:
    if not isinstance(value, dict):
        msg = "must be an object"
        raise ValueError(msg)  # noqa: TRY004  # joserfc asks for it


class SignatureHeaders(JWSRegistry):
    """Headers that carry certificates are longer than a token's; JAdES headers nobody reads here may stand."""

    max_header_length = MAX_BYTES


REGISTRY = SignatureHeaders(
    header_registry={"sigD": HeaderParameter("Signed hashes", _object)},
    algorithms=ALGORITHMS,
    strict_check_header=False,
)


def read_jws(data: bytes) -> Signed:
    """A compact JWS, payload detached; raises BadSignatureError unless it agrees with the certificate it carries."""
    header, _, rest = data.partition(b".")
    payload, _, signature = rest.partition(b".")
    if payload:
        raise BadSignatureError(Reason.UNSUPPORTED)
    said = _header(header)
    chain = _chain(said.get("x5c"))
    digests = _digests(said.get("sigD"))
    if said.get("alg") not in ALGORITHMS or "b64" in said:
        raise BadSignatureError(Reason.UNSUPPORTED)
    pem = chain[0].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        key = import_key(pem, "EC" if said["alg"].startswith("ES") else "RSA")
        deserialize_compact(b".".join((header, b"", signature)), key, registry=REGISTRY)
    except (JoseError, ValueError, TypeError):
        raise BadSignatureError(Reason.WRONG) from None
    return Signed(digests, chain)


def _header(segment: bytes) -> dict[str, Any]:
    try:
        said = json.loads(_decode(segment))
    except (ValueError, RecursionError):
        raise BadSignatureError(Reason.UNREADABLE) from None
    if not isinstance(said, dict):
        raise BadSignatureError(Reason.UNREADABLE)
    return said


def _chain(x5c: Any) -> tuple[Certificate, ...]:
    if not isinstance(x5c, list) or not 0 < len(x5c) <= MAX_CERTIFICATES:
        raise BadSignatureError(Reason.UNSUPPORTED)
    try:
        return tuple(load_der_x509_certificate(b64decode(one, validate=True)) for one in x5c)
    except (ValueError, TypeError):
        raise BadSignatureError(Reason.UNREADABLE) from None


def _digests(sigd: Any) -> dict[str, bytes]:
    said = sigd if isinstance(sigd, dict) else {}
    if said.get("mId") != BY_HASH or str(said.get("hashM")) not in SHA256:
        raise BadSignatureError(Reason.UNSUPPORTED)
    uris, hashes = said.get("pars"), said.get("hashV")
    if not isinstance(uris, list) or not isinstance(hashes, list) or not 0 < len(uris) == len(hashes) <= MOST_DOCUMENTS:
        raise BadSignatureError(Reason.UNREADABLE)
    try:
        return {str(uri): _decode(str(one).encode()) for uri, one in zip(uris, hashes, strict=True)}
    except (binascii.Error, ValueError):
        raise BadSignatureError(Reason.UNREADABLE) from None


def _decode(text: bytes) -> bytes:
    """Base64url, its padding left out (RFC 7515 §2)."""
    return urlsafe_b64decode(text + b"=" * (-len(text) % 4))
