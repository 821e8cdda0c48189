"""What a signature says, once it agrees with its own certificate; and why one does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cryptography.x509 import Certificate

MAX_CERTIFICATES = 6
MAX_BYTES = 32_768


class State(StrEnum):
    """What is shown of a document's signature."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    """Nobody can tell: none was sent, or its kind, its certificate or its signer is not known here."""

    INVALID = "invalid"
    """It is wrong: of other bytes, by a revoked certificate, or by somebody else than the author."""


class Reason(StrEnum):
    """Why a signature is not verified."""

    NONE_SENT = "no-signature"
    UNREADABLE = "unreadable"
    UNSUPPORTED = "unsupported"
    WRONG = "signature-wrong"
    OTHER_DOCUMENT = "other-document"
    DIGEST_DIFFERS = "digest-differs"
    UNTRUSTED = "certificate-untrusted"
    NOT_IN_FORCE = "certificate-not-in-force"
    REVOKED = "certificate-revoked"
    SIGNER_UNKNOWN = "signer-unknown"
    NOT_AUTHOR = "signer-not-author"


INVALIDATING = frozenset(
    {Reason.WRONG, Reason.OTHER_DOCUMENT, Reason.DIGEST_DIFFERS, Reason.REVOKED, Reason.NOT_AUTHOR}
)


class BadSignatureError(Exception):
    """A signature that can't be accepted as what it claims to be."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed: the SHA-256 of each document by its URI; and by whom, the signer's certificate first."""

    digests: Mapping[str, bytes]
    chain: tuple[Certificate, ...]
