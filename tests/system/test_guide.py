"""The integrator's guide runs as it stands."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.conftest import ROOT, System

GUIDE = ROOT / "docs" / "integration.md"


def test_every_block_of_the_guide_runs(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(system.root)
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    namespace: dict[str, Any] = {}
    try:
        for block in blocks:
            exec(compile(block, str(Path(GUIDE).name), "exec"), namespace)
    finally:
        for client in (value for value in namespace.values() if isinstance(value, httpx.Client)):
            client.close()
