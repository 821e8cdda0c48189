"""Small private files: generated passwords, the processes' settings, and what `up` has done."""

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_private(path: Path, text: str) -> None:
    """Replace `path` in one step with `text`, readable by its owner only."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    Path(draft).replace(path)


def password(directory: Path, name: str) -> str:
    """The password called `name`, made on first use."""
    path = directory / name
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty when there is none."""
    content = json.loads(path.read_text()) if path.exists() else {}
    return content if isinstance(content, dict) else {}


def read_list(path: Path) -> list[dict[str, Any]]:
    """The JSON list of objects in `path`; empty when there is none."""
    content = json.loads(path.read_text()) if path.exists() else []
    return content if isinstance(content, list) else []


def write_object(path: Path, content: Mapping[str, Any]) -> None:
    """Replace `path` with `content`, readable by its owner only."""
    write_private(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
