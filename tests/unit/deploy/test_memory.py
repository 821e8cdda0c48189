"""What memory there is, and how much of it PostgreSQL is given."""

from pathlib import Path

import psutil
import pytest

from deploy import memory
from deploy.postgres import buffers

MEGABYTE = 1024**2


@pytest.fixture(autouse=True)
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Control groups of its own, without a limit yet."""
    (tmp_path / "own").write_text("0::/units/renhice\n", encoding="utf-8")
    (tmp_path / "groups/units/renhice").mkdir(parents=True)
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "OWN_GROUP", tmp_path / "own")
    return tmp_path / "groups"


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (None, None),
        ("units/renhice/memory.max", 300),
        ("units/memory.max", 300),
        ("memory.max", 300),
        ("memory/memory.limit_in_bytes", 300),
    ],
)
def test_memory_is_the_machine_s_or_what_a_group_allows(groups: Path, limit: str | None, expected: int | None) -> None:
    (groups / "units/renhice/memory.max").write_text("max\n", encoding="utf-8")
    if limit:
        (groups / limit).parent.mkdir(exist_ok=True)
        (groups / limit).write_text(f"{300 * MEGABYTE}\n", encoding="utf-8")
    assert memory.usable_memory() == (expected or psutil.virtual_memory().total // MEGABYTE)


def test_no_groups_no_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "OWN_GROUP", tmp_path / "none")
    assert memory.usable_memory() == psutil.virtual_memory().total // MEGABYTE


@pytest.mark.parametrize(("there", "given"), [(512, 256), (4096, 1024), (24_000, 6000), (262_144, 8192)])
def test_a_quarter_is_postgresql_s(there: int, given: int) -> None:
    assert buffers(there) == given
