"""Opaque secrets: made with 256 bits, kept as SHA-256 only."""

import secrets
from hashlib import sha256


def new_secret() -> str:
    """A code, challenge or refresh token: 256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a secret, and looked up by: with 256 bits of entropy a plain hash can't be reversed."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
