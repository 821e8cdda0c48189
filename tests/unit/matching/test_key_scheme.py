"""The fingerprint of the blocking rules."""

import subprocess
import sys
from pathlib import Path

import pytest

from matching import blocking, normalise
from matching.key_scheme import key_scheme

ROOT = Path(__file__).parents[3]


def test_every_process_has_the_same() -> None:
    command = [sys.executable, "-c", "from matching.key_scheme import key_scheme; print(key_scheme())"]
    for seed in ("1", "2"):
        done = subprocess.run(
            command, cwd=ROOT, env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        )
        assert int(done.stdout) == key_scheme()


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [(blocking, "BEARERS", 90), (blocking, "_either_order", str), (normalise, "phonetic", lambda name: name)],
)
def test_another_rule_gives_another(monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: object) -> None:
    before = key_scheme()
    monkeypatch.setattr(module, name, value)
    assert key_scheme.__wrapped__() != before


def test_it_fits_the_column() -> None:
    assert 0 <= key_scheme() < 2**31
