"""JSON files the sandbox leaves for others: private to their owner and never half written."""

import json
import os
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path`, mode 0600, by rename: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(path)


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote; raises FileNotFoundError when `prepare` has not run."""
    return json.loads(path.read_text(encoding="utf-8"))


def find_json(path: Path) -> Any | None:
    """Return the content of `path`, or None when there is no such file."""
    return read_json(path) if path.exists() else None
