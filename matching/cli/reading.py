"""Files into tables of records, on as many processors as help."""

import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from matching.cli.output import STANDARD
from matching.cli.telling import Advance, Teller
from matching.collecting import uncollected
from matching.files import BadRowError, FileError, Reading, Row, read_table
from matching.intake import Intake
from matching.model import Model
from matching.schema import FileSchema
from matching.table import Table, join_tables

T = TypeVar("T")
CHUNK = 10_000
ALONE = 5
"""Chunks that one process has read sooner than others could be started."""
SHOWN = 20


@dataclass(slots=True)
class Identities:
    """Who wrote each record of some files and under which number, in order."""

    establishments: list[str] = field(default_factory=list)
    local_ids: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.local_ids)

    def named(self) -> list[tuple[str, str]]:
        """Establishment and local number of each record."""
        return list(zip(self.establishments, self.local_ids, strict=True))


@dataclass(frozen=True, slots=True)
class Records:
    """The records of some files, in order: whose they are said to be, and what is compared of them."""

    identities: Identities
    table: Table

    def __len__(self) -> int:
        return len(self.identities)


@dataclass(frozen=True, slots=True)
class Files:
    """Files of records, and how to read them."""

    paths: Sequence[str]
    schema: FileSchema
    skip_bad_rows: bool
    teller: Teller

    def read(self, take: Callable[[Iterator[Row]], T]) -> tuple[Identities, T]:
        """All rows, handed to `take`. Raises `ClickException` naming the file and the line of what can't be read."""
        readings: list[Reading] = []
        identities = Identities()
        with uncollected(), self.teller.stage(f"reading {', '.join(self.paths)}", _size(self.paths)) as advance:
            taken = take(self._noted(readings, identities, advance))
        for path, reading in zip(self.paths, readings, strict=True):
            _tell(self.teller, path, reading, self.schema)
        if not len(identities):
            raise click.ClickException("there are no records to link")
        _tell_repeated(self.teller, identities)
        self.teller.say(f"{len(identities):,} records")
        return identities, taken

    def records(self, model: Model, jobs: int) -> Records:
        """The records as the model's population asks to read them, by up to `jobs` processes."""
        return Records(*self.read(lambda rows: join_tables(list(_tables(model, rows, jobs)))))

    def _noted(self, readings: list[Reading], identities: Identities, advance: Advance) -> Iterator[Row]:
        """The rows as they pass, their identifiers kept."""
        for path in self.paths:
            reading = Reading(skip_bad_rows=self.skip_bad_rows)
            readings.append(reading)
            for row in _rows(path, self.schema, reading, advance):
                establishment, local_id = self.schema.identifiers(row)
                identities.establishments.append(sys.intern(establishment))
                identities.local_ids.append(local_id)
                yield row


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """A file, or standard input for `-`; what is wrong with its content ends the command, with its name."""
    try:
        if path == STANDARD:
            yield sys.stdin.buffer
        else:
            with Path(path).open("rb") as source:
                yield source
    except BadRowError as error:
        raise click.ClickException(f"{path}: {error} (--skip-bad-rows goes on without such rows)") from error
    except (FileError, OSError) as error:
        raise click.ClickException(f"{path}: {error}") from error


def _size(paths: Sequence[str]) -> int | None:
    return None if STANDARD in paths else sum(Path(path).stat().st_size for path in paths)


def _rows(path: str, schema: FileSchema, reading: Reading, advance: Advance) -> Iterator[Row]:
    with opened(path) as source:
        measured = source.tell if source.seekable() else None
        done, telling = 0, schema.telling
        for number, row in enumerate(read_table(source, schema.required, reading)):
            if telling.isdisjoint(reading.columns):
                raise FileError(f"no column says anything about a person: {', '.join(sorted(telling))}")
            if measured and number % CHUNK == 0:
                done, before = measured(), done
                advance(done - before)
            yield row


def _tables(model: Model, rows: Iterator[Row], jobs: int) -> Iterator[Table]:
    """Tables of consecutive rows: made here while there are few, by `jobs` processes when there are many."""
    intake = Intake(model)
    yield from (intake.table(chunk) for chunk in islice(_chunks(rows), ALONE if jobs > 1 else None))
    ahead = _chunks(rows)
    first = next(ahead, None)
    if first is not None:
        yield from _tables_elsewhere(model, chain([first], ahead), jobs)


def _tables_elsewhere(model: Model, chunks: Iterable[list[Row]], jobs: int) -> Iterator[Table]:
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start, (model.document,))
    waiting: deque[Future[Table]] = deque()
    try:
        for chunk in chunks:
            waiting.append(pool.submit(_make_table, *_packed(chunk)))
            if len(waiting) > 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


class _Worker:
    """What a process of the pool keeps."""

    intake: Intake


def _start(document: Mapping[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interruption means
    _Worker.intake = Intake(Model.from_document(document))


def _packed(rows: list[Row]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Rows as their columns and their cells, which travel faster than the rows."""
    return [tuple(row.cells) for row in rows], [tuple(row.cells.values()) for row in rows]


def _make_table(columns: list[tuple[str, ...]], cells: list[tuple[str, ...]]) -> Table:
    rows = (Row(number, dict(zip(*row, strict=True))) for number, row in enumerate(zip(columns, cells, strict=True)))
    with uncollected():
        return _Worker.intake.table(rows)


def _tell(teller: Teller, path: str, reading: Reading, schema: FileSchema) -> None:
    if reading.not_utf8:
        teller.warn(f"{path}: {reading.not_utf8:,} lines are not UTF-8 and were read as Windows-1252")
    unused = sorted(set(filter(None, reading.columns)) - schema.telling - schema.required)
    if unused:
        teller.say(f"{path}: columns not used: {', '.join(unused)}")
    if reading.left_out:
        teller.warn(f"{path}: {len(reading.left_out):,} bad rows were left out:")
        for bad in reading.left_out[:SHOWN]:
            teller.warn(f"  {bad}")
        if len(reading.left_out) > SHOWN:
            teller.warn(f"  and {len(reading.left_out) - SHOWN:,} more")


def _tell_repeated(teller: Teller, identities: Identities) -> None:
    counts = Counter(identities.named())
    repeated = sum(count for count in counts.values() if count > 1)
    if repeated:
        teller.warn(
            f"{repeated:,} records share their establishment and local_id with another: "
            "each is judged by what it says, and has a row of its own in the result"
        )
