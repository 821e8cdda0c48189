"""Rotation: published before use, kept until the last token it signed is gone, private to its owner."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from consent_broker.oauth.rfc7517_keys import (
    LEAD,
    OVERLAP,
    NoSigningKey,
    SigningKeys,
    ensure_signing_key,
    rotate_signing_key,
)


def kids(keys: SigningKeys) -> list[str]:
    return [member["kid"] for member in keys.public_jwks()["keys"]]


def test_a_new_key_is_published_before_it_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_signing_key(tmp_path)
    keys = SigningKeys(tmp_path)
    first = keys.current().kid
    rotate_signing_key(tmp_path)
    assert len(kids(keys)) == 2
    assert keys.current().kid == first
    start = time.time()
    monkeypatch.setattr(time, "time", lambda: start + LEAD + 1)
    second = keys.current().kid
    assert second != first
    assert kids(keys) == [first, second]
    monkeypatch.setattr(time, "time", lambda: start + LEAD + OVERLAP + 2)
    assert kids(keys) == [second]
    assert keys.find(first) is None


def test_only_public_halves_are_published(tmp_path: Path) -> None:
    ensure_signing_key(tmp_path)
    (member,) = SigningKeys(tmp_path).public_jwks()["keys"]
    assert member.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_many_processes_make_one_first_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: ensure_signing_key(tmp_path), range(16)))
    (path,) = tmp_path.iterdir()
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text())["active_from"] == 0


def test_without_a_key_nothing_is_signed(tmp_path: Path) -> None:
    with pytest.raises(NoSigningKey, match="rotate-signing-key"):
        SigningKeys(tmp_path).current()


def test_the_first_rotation_makes_a_key_that_signs_at_once(tmp_path: Path) -> None:
    rotate_signing_key(tmp_path)
    assert SigningKeys(tmp_path).current()
