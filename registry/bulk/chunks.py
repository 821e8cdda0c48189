"""A file read and prepared, chunk by chunk, by one process while another registers."""

import gc
import io
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import current_process, get_context
from typing import BinaryIO, cast
from uuid import UUID

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from matching.collecting import collect_young
from registry.app import Renhice
from registry.bulk.lines import Line, Refusal, Source, read_line, read_rows, split
from registry.bulk.orphans import end_with_parent
from registry.bulk.pace import Pace
from registry.bulk.stored import Stored
from registry.identity.arrivals import Registration
from registry.identity.batch.preparing import Batch, gather_tokens, prepare_batch
from registry.identity.engine import Engine
from registry.telemetry import logger

_log = logger(__name__)

AHEAD = 3
FAULT = "registry-fault"
ELSEWHERE = (OperationalError, InterfaceError, OSError, MemoryError)
"""Faults that say nothing of a line: the database or the disk."""

NOTHING = Batch([], gather_tokens([]))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines, prepared: from `before` to `after` in the file, and the last line's number."""

    before: int
    after: int
    line: int
    numbers: list[int]
    """The line of each registration of `batch`."""

    batch: Batch
    refusals: list[Refusal]
    faulty: bool = False
    """Refused for a fault of ours, which is no progress."""


def refused_chunk(before: int, after: int, line: int) -> Chunk:
    """A line refused for a fault of ours, as a chunk."""
    return Chunk(before, after, line, [], NOTHING, [Refusal(line, FAULT)], faulty=True)


class Reader:
    """Chunks of a file in order, prepared by a helper process while the caller registers the ones before."""

    def __init__(self, parts: Renhice, import_id: UUID, source: Source, engine: Engine, pace: Pace,
                 *, careful: bool) -> None:  # fmt: skip
        self._parts, self._import_id, self._source, self._engine, self._pace = parts, import_id, source, engine, pace
        self._make = _make_carefully if careful else make_chunk

    def chunks(self, form: str, start: int, line: int, *, helped: bool) -> Iterator[Chunk]:
        """From `start` on, which is after line `line`; alone where this process may start none (in Celery's pool)."""
        batches = self._batches(form, start, line)
        if not helped or current_process().daemon:
            for before, lines in batches:
                yield self._make(self._engine, self._source, before, lines)
            return
        context = get_context("spawn")
        with ProcessPoolExecutor(1, context, initializer=_begin, initargs=(self._engine, self._source)) as pool:
            waiting: deque[Future[Chunk]] = deque()
            try:
                for before, lines in batches:
                    waiting.append(pool.submit(_help, before, lines))
                    if len(waiting) > AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _batches(self, form: str, start: int, line: int) -> Iterator[tuple[int, list[Line]]]:
        with self._parts.database.engine.connect() as connection, Session(connection) as session:
            stored = Stored(session, self._parts.sealer, self._import_id)
            file = cast("BinaryIO", io.BufferedReader(stored, 1 << 20))
            if form == "ndjson":
                file.seek(start)
            lines = split(file, start, line) if form == "ndjson" else read_rows(file, self._source, start, line)
            before = start
            while batch := list(islice(lines, self._pace.size)):
                yield before, batch
                before = batch[-1].after


_helping: dict[str, tuple[Engine, Source]] = {}


def _begin(engine: Engine, source: Source) -> None:
    end_with_parent()
    gc.disable()  # until the helper ends; what a chunk leaves is collected after it
    _helping["file"] = engine, source


def _help(before: int, lines: list[Line]) -> Chunk:
    made = make_chunk(*_helping["file"], before, lines)
    collect_young()
    return made


def make_chunk(engine: Engine, source: Source, before: int, lines: list[Line]) -> Chunk:
    """Read and prepare some lines."""
    read = [
        read_line(source, line.number, line.content) if isinstance(line.content, bytes) else line.content
        for line in lines
    ]
    return Chunk(
        before=before,
        after=lines[-1].after,
        line=lines[-1].last,
        numbers=[line.number for line, one in zip(lines, read, strict=True) if isinstance(one, Registration)],
        batch=prepare_batch(engine, [one for one in read if isinstance(one, Registration)]),
        refusals=[one for one in read if isinstance(one, Refusal)],
    )


def _make_carefully(engine: Engine, source: Source, before: int, lines: list[Line]) -> Chunk:
    """One line; refused if reading or preparing it fails."""
    try:
        return make_chunk(engine, source, before, lines)
    except ELSEWHERE:
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, the lines behind it wait
        _log.error("import line unreadable", line=lines[0].number, error_type=type(error).__name__)
        return refused_chunk(before, lines[0].after, lines[0].number)
