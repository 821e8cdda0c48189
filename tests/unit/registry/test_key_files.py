"""Key files: made once, whole, private; a bad one is named."""

import stat
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from registry.sealing import FileMasterKeys, Sealer, SealError, add_master_key, create_keys, read_key


def test_keys_are_private_and_made_once(tmp_path: Path) -> None:
    made = create_keys(tmp_path)
    assert {path.name for path in made} == {"blind.key", "master-0001.key"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in made)
    assert create_keys(tmp_path) == []


def test_processes_that_start_together_agree_on_the_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: create_keys(tmp_path), range(16)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blind.key", "master-0001.key"]


def test_the_newest_master_key_is_current(tmp_path: Path) -> None:
    create_keys(tmp_path)
    assert add_master_key(tmp_path).name == "master-0002.key"
    assert FileMasterKeys.load(tmp_path).wrap(b"k" * 32, b"owner")[0] == "master-0002"


@pytest.mark.parametrize("content", [b"", b"not base64!", b64encode(b"short")])
def test_a_bad_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "blind.key"
    path.write_bytes(content)
    with pytest.raises(SealError, match=r"blind\.key"):
        read_key(path)


def test_no_keys_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(SealError, match="renhice keys init"):
        Sealer.from_directory(tmp_path)
