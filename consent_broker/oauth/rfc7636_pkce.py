"""PKCE (RFC 7636), S256 only and for every client (RFC 9700 §2.1.1)."""

import re
from typing import ClassVar

from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7636.challenge import compare_s256_code_challenge

METHOD = "S256"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class S256Only(CodeChallenge):  # type: ignore[misc]  # Authlib ships no types
    """Authlib's verifier check without `plain`; every code we store has a challenge, so every verifier is required."""

    DEFAULT_CODE_CHALLENGE_METHOD = METHOD
    SUPPORTED_CODE_CHALLENGE_METHOD: ClassVar[list[str]] = [METHOD]
    CODE_CHALLENGE_METHODS: ClassVar[dict[str, object]] = {METHOD: compare_s256_code_challenge}

    def get_authorization_code_challenge_method(self, authorization_code: object) -> str:
        return METHOD if authorization_code is not None else ""


def is_challenge(value: str | None, method: str | None) -> bool:
    """Whether an authorization request carries an S256 challenge: the base64url SHA-256, and the method named."""
    return method == METHOD and value is not None and _CHALLENGE.fullmatch(value) is not None
