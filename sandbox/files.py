"""JSON files the sandbox leaves for others: private to their owner and never half written."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO


@contextmanager
def private_file(path: Path) -> Iterator[TextIO]:
    """Give a file to write, mode 0600; it takes the name `path` at the end, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    with draft.open("w", encoding="utf-8", newline="") as file:
        yield file
    draft.replace(path)


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path` as a private file."""
    with private_file(path) as file:
        file.write(json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote; raises FileNotFoundError when `prepare` has not run."""
    return json.loads(path.read_text(encoding="utf-8"))


def find_json(path: Path) -> Any | None:
    """Return the content of `path`, or None when there is no such file."""
    return read_json(path) if path.exists() else None
