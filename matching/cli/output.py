"""Writing results: whole or not at all; `-` is standard output."""

import csv
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

STANDARD = "-"


@contextmanager
def whole_file(path: str) -> Iterator[TextIO]:
    """A file that takes its name when all of it is written; one interrupted leaves what was there before.

    A pipe or a device is written to as it is. Raises `ClickException` when it can't be written.
    """
    if path == STANDARD:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        with _written_to(Path(path)) if _is_special(Path(path)) else _replacing(Path(path).resolve()) as out:
            yield out
    except OSError as error:
        raise click.ClickException(f"can't write {path}: {error.strerror}") from error


def _is_special(target: Path) -> bool:
    """Whether something stands there that is no file, such as a pipe: a file that took its name would destroy it."""
    return target.exists() and not target.is_file()


def _written_to(target: Path) -> TextIO:
    return target.open("w", encoding="utf-8", newline="")


@contextmanager
def _replacing(target: Path) -> Iterator[TextIO]:
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def write_csv(path: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV in UTF-8 as `whole_file` does."""
    with whole_file(path) as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def check_output(inputs: Iterable[str], output: str) -> None:
    """Before the work: raise `UsageError` when the output would replace an input or has nowhere to go."""
    target = Path(output)
    if output == STANDARD or _is_special(target):
        return
    if not (target.parent.is_dir() and os.access(target.parent, os.W_OK)):
        raise click.UsageError(f"can't write {output}: its folder is missing or read-only")
    if target.exists() and any(source != STANDARD and target.samefile(source) for source in inputs):
        raise click.UsageError(f"{output} is an input: choose another file for the result")


def _umask() -> int:
    """The process's mask for new files, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
