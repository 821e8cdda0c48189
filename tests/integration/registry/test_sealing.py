"""Sealed bytes open only for their owner and row; rotation keeps them; a destroyed key ends them."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from registry.database import new_id
from registry.sealing import DataKey, Sealer, SealError, add_master_key, create_keys


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    create_keys(tmp_path)
    return tmp_path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(plaintext=st.binary(max_size=2000))
def test_what_is_sealed_opens(session: Session, keys: Path, plaintext: bytes) -> None:
    sealer, owner = Sealer.from_directory(keys), new_id()
    sealed = sealer.seal(session, owner, plaintext, "row:1")
    assert sealer.open(session, owner, sealed, "row:1") == plaintext
    assert plaintext == b"" or plaintext not in sealed or len(plaintext) < 4


def test_sealed_bytes_do_not_open_elsewhere(session: Session, keys: Path) -> None:
    sealer, owner, other = Sealer.from_directory(keys), new_id(), new_id()
    sealed = sealer.seal(session, owner, b"QUISPE", "row:1")
    sealer.seal(session, other, b"x", "row:1")
    altered = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for who, what, where in [(owner, sealed, "row:2"), (other, sealed, "row:1"), (owner, altered, "row:1")]:
        with pytest.raises(SealError):
            sealer.open(session, who, what, where)


def test_rotation_keeps_what_was_sealed(session: Session, keys: Path) -> None:
    owner = new_id()
    sealed = Sealer.from_directory(keys).seal(session, owner, b"QUISPE", "row")
    add_master_key(keys)
    sealer = Sealer.from_directory(keys)
    key = session.get_one(DataKey, owner)
    sealer.rewrap(key)
    assert key.master_key_id == "master-0002"
    assert sealer.open(session, owner, sealed, "row") == b"QUISPE"


def test_a_destroyed_data_key_ends_what_it_sealed(session: Session, keys: Path) -> None:
    sealer, owner = Sealer.from_directory(keys), new_id()
    sealed = sealer.seal(session, owner, b"QUISPE", "row")
    session.delete(session.get_one(DataKey, owner))
    session.flush()
    with pytest.raises(SealError, match="destroyed"):
        sealer.open(session, owner, sealed, "row")


def test_blind_tokens_depend_on_key_domain_and_value(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    create_keys(other)
    one, two = Sealer.from_directory(keys), Sealer.from_directory(other)
    tokens = {one.blind("a", "1"), one.blind("b", "1"), one.blind("a", "2"), two.blind("a", "1")}
    assert len(tokens) == 4
    assert one.blind("a", "1") == Sealer.from_directory(keys).blind("a", "1")
