"""The signing keys (RFC 7517): ES256, one file each, rotated with overlap and no restart.

A new key is published LEAD before it signs, so that every cached JWKS has it by then; an old one stays published until
the last token it signed has expired.
"""

import json
import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jws, jwt
from joserfc.jwk import ECKey

from registry.sealing import share_owner

ALGORITHM = "ES256"
JWKS_MAX_AGE = 300
LEAD = 3 * JWKS_MAX_AGE
OVERLAP = 600
"""Twice the longest life of a token."""

_SETTLES_NS = 2_000_000_000
"""Within this of a change another may bear the same time."""

_NAME = re.compile(r"signing-.*\.jwk")


class NoSigningKey(Exception):
    """The key directory holds no signing key that may be used yet."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the moment it starts signing (seconds since 1970)."""

    key: ECKey
    kid: str
    active_from: int


class SigningKeys:
    """The keys of a directory; a key added while processes run is noticed at the next use."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: tuple[str, ...] = ()
        self._keys: tuple[SigningKey, ...] = ()
        self._settled = 0
        """When the directory last changed, once it has been looked through long enough after that."""

        self._lock = threading.Lock()

    def current(self) -> SigningKey:
        """The key to sign with now; raises NoSigningKey."""
        started = [key for key in self._load() if key.active_from <= time.time()]
        if not started:
            msg = f"no signing key in {self._directory}; make one with: renhice broker rotate-signing-key"
            raise NoSigningKey(msg)
        return started[-1]

    def sign(self, claims: dict[str, Any], typ: str) -> str:
        """A JWT of that type, signed with the current key (RFC 7515, RFC 8725 §3.11); raises NoSigningKey."""
        signing = self.current()
        header = {"alg": ALGORITHM, "typ": typ, "kid": signing.kid}
        return jwt.encode(header, claims, signing.key, algorithms=[ALGORITHM])

    def sign_detached(self, content: bytes) -> str:
        """A JWS of bytes that travel beside it (RFC 7515 appendix F); raises NoSigningKey."""
        signing = self.current()
        made = jws.serialize_compact({"alg": ALGORITHM, "kid": signing.kid}, content, signing.key)
        protected, _, signature = made.split(".")
        return f"{protected}..{signature}"

    def find(self, kid: str) -> ECKey | None:
        """The key of a published id."""
        return next((key.key for key in self._published() if key.kid == kid), None)

    def public_jwks(self) -> dict[str, Any]:
        """The JWKS to publish: public halves only, each with its `kid`."""
        members = [key.key.as_dict(private=False, kid=key.kid, use="sig", alg=ALGORITHM) for key in self._published()]
        return {"keys": members}

    def _published(self) -> list[SigningKey]:
        keys = self._load()
        successors: Sequence[SigningKey | None] = [*keys[1:], None]
        horizon = time.time() - OVERLAP
        return [
            key for key, after in zip(keys, successors, strict=True) if after is None or after.active_from > horizon
        ]

    def _load(self) -> tuple[SigningKey, ...]:
        changed = self._directory.stat().st_mtime_ns
        if changed == self._settled:
            return self._keys
        with os.scandir(self._directory) as found:
            names = tuple(sorted(one.name for one in found if _NAME.fullmatch(one.name)))
        if names != self._seen:
            with self._lock:
                self._keys = tuple(_read(self._directory / name) for name in names)
                self._seen = names
        self._settled = changed if time.time_ns() - changed > _SETTLES_NS else 0
        return self._keys


def ensure_signing_key(directory: Path) -> None:
    """Make the first key where there is none; it signs at once. Safe when several processes start together."""
    if not any(directory.glob("signing-*.jwk")):
        _write(directory / "signing-0001.jwk", active_from=0)


def rotate_signing_key(directory: Path, lead: int = LEAD) -> Path:
    """Make the next key, published now and signing after `lead` seconds; returns its file."""
    numbers = [int(path.stem.removeprefix("signing-")) for path in directory.glob("signing-*.jwk")]
    path = directory / f"signing-{max(numbers, default=0) + 1:04d}.jwk"
    _write(path, active_from=int(time.time()) + lead if numbers else 0)
    return path


def _read(path: Path) -> SigningKey:
    stored = json.loads(path.read_text())
    key = ECKey.import_key(stored["jwk"])
    return SigningKey(key, key.thumbprint(), int(stored["active_from"]))


def _write(path: Path, *, active_from: int) -> None:
    """Whole or not at all, readable by its owner only; an existing file wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = {"active_from": active_from, "jwk": ECKey.generate_key("P-256").as_dict(private=True)}
    draft = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    share_owner(descriptor, path.parent)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
