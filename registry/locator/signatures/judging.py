"""The verdict on a document's signature: verified, unverified or invalid, and why."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from matching.records import Document
from registry.locator.signatures.jades import read_jws
from registry.locator.signatures.signed import (
    INVALIDATING,
    MAX_BYTES,
    BadSignatureError,
    Reason,
    Signed,
    State,
)
from registry.locator.signatures.trust import TrustAnchors, holder_of
from registry.locator.signatures.xmldsig import read_xml

READERS = MappingProxyType({
    "application/jose": read_jws,
    "application/signature+xml": read_xml,
})  # fmt: skip
"""Signature.sigFormat to what reads it (FHIR R4, Signature)."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one signature. `signer` is the document in the certificate of one that agrees with itself."""

    state: State
    reason: Reason | None = None
    digest: bytes | None = None
    """The SHA-256 that was signed, of a signature that agrees with its own certificate."""

    signer: Document | None = None
    fingerprint: str | None = None
    """SHA-256 of the certificate, in hexadecimal."""


UNSIGNED = Judgement(State.UNVERIFIED, Reason.NONE_SENT)


def judge(
    kind: str, data: bytes, uris: Collection[str], declared: bytes | None, anchors: TrustAnchors, moment: datetime
) -> Judgement:
    """Judge a signature of the document known by one of `uris`, whose SHA-256 is `declared` if it was said."""
    reader = READERS.get(kind)
    if reader is None or len(data) > MAX_BYTES:
        return refused(Reason.UNSUPPORTED)
    try:
        signed = reader(data)
        digest = _digest(signed, uris, declared)
    except BadSignatureError as error:
        return refused(error.reason)
    leaf = signed.chain[0]
    try:
        anchors.check(signed.chain, moment)
    except BadSignatureError as error:
        return refused(error.reason, digest, leaf)
    signer = holder_of(leaf)
    if signer is None:
        return refused(Reason.SIGNER_UNKNOWN, digest, leaf)
    return Judgement(State.VERIFIED, None, digest, signer, _fingerprint(leaf))


def refused(reason: Reason, digest: bytes | None = None, leaf: Certificate | None = None) -> Judgement:
    """The verdict that follows from a reason."""
    state = State.INVALID if reason in INVALIDATING else State.UNVERIFIED
    return Judgement(state, reason, digest, None, _fingerprint(leaf) if leaf else None)


def _digest(signed: Signed, uris: Collection[str], declared: bytes | None) -> bytes:
    found: Mapping[str, bytes] = {uri: value for uri, value in signed.digests.items() if uri in uris}
    if not found:
        raise BadSignatureError(Reason.OTHER_DOCUMENT)
    values = set(found.values())
    if len(values) != 1 or (declared is not None and values != {declared}):
        raise BadSignatureError(Reason.DIGEST_DIFFERS)
    return values.pop()


def _fingerprint(certificate: Certificate) -> str:
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
