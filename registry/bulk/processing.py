"""Registering a file: read and prepared by one process while another registers, a chunk and its cursor in one commit.

Killed at any point nothing is lost and nothing doubled: what a chunk registered and how far the file is are one
transaction, which only takes effect where the file still is where the chunk began.
"""

import hashlib
import io
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from multiprocessing import get_context
from typing import BinaryIO, cast
from uuid import UUID

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from matching.files import FileError
from registry.app import Renhice
from registry.bulk.lines import Line, Refusal, Source, read_line, read_rows, split
from registry.bulk.models import COMPLETED, FAILED, PROCESSING, Import, ImportPart, ImportRefusal
from registry.bulk.service import end, part_context
from registry.database import now
from registry.directory.service import get_establishment
from registry.errors import DomainError
from registry.identity.arrivals import Registration
from registry.identity.batch.neighbours import Memory
from registry.identity.batch.preparing import Prepared, prepare
from registry.identity.batch.service import register_prepared
from registry.identity.engine import Engine, engine_of
from registry.identity.registration import Outcome
from registry.sealing import DataKey, Sealer

CHUNK = 500
AHEAD = 3
LEASE = timedelta(seconds=60)
HELPER_FROM_BYTES = 4 << 20
TAKE = text("""
UPDATE imports SET leased_until = :until WHERE id = (
  SELECT id FROM imports WHERE status = 'processing' AND (leased_until IS NULL OR leased_until < :now)
  ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING id
""")
ADVANCE = text("""
UPDATE imports SET position = :after, line = :line, leased_until = :until, changed_at = :now,
  counts = (SELECT jsonb_object_agg(name, coalesce((counts ->> name)::bigint, 0) + coalesce((said ->> name)::bigint, 0))
            FROM (SELECT CAST(:counts AS jsonb) AS said) AS new,
                 LATERAL (SELECT jsonb_object_keys(counts || said) AS name) AS names)
WHERE id = :id AND position = :before AND status = 'processing' RETURNING id
""")


class Superseded(Exception):
    """The file is not where the chunk began: somebody else goes on with it, or it was called off."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines, prepared: from `before` to `after` in the file, and the last line's number."""

    before: int
    after: int
    line: int
    numbers: list[int]
    """The line of each of `prepared`."""

    prepared: list[Prepared]
    refusals: list[Refusal]


def take_due(session: Session) -> UUID | None:
    """An import to go on with, lent for a minute; None when there is none."""
    taken: UUID | None = session.scalar(TAKE, {"now": now(), "until": now() + LEASE})
    return taken


def process(parts: Renhice, import_id: UUID, seconds: float = float("inf"), chunk: int = CHUNK) -> bool:
    """Go on with an import for so long; True when it is done with."""
    deadline = time.monotonic() + seconds
    with parts.database.unit_of_work() as session:
        found = session.get_one(Import, import_id)
        place = get_establishment(session, found.establishment_id)
        source = Source(
            establishment_id=found.establishment_id,
            client_id=found.client_id,
            token_id=found.token_id,
            system=place.identifier_system,
            sent_at=found.created_at,
            code=place.renipress,
        )
        start, line, form, size, status = found.position, found.line, found.format, found.size, found.status
        if status == PROCESSING and start == 0 and _hash(Stored(session, parts.sealer, found.id)) != found.sha256:
            end(session, found, FAILED, "checksum-mismatch")
            return True
    if status != PROCESSING:
        return True
    engine, memory = engine_of(parts), Memory()
    work = Reader(parts, import_id, source, engine, chunk)
    try:
        for one in work.chunks(form, start, line, helped=size >= HELPER_FROM_BYTES):
            _apply(parts, engine, memory, import_id, one)
            if time.monotonic() > deadline:
                return False
    except Superseded:
        return False
    except FileError:
        return _finish(parts, import_id, FAILED, "not-a-table")
    return _finish(parts, import_id, COMPLETED, None)


def _finish(parts: Renhice, import_id: UUID, status: str, error: str | None) -> bool:
    with parts.database.unit_of_work() as session:
        found = session.scalars(select(Import).where(Import.id == import_id).with_for_update()).one()
        if found.status == PROCESSING:
            end(session, found, status, error)
    return True


def _apply(parts: Renhice, engine: Engine, memory: Memory, import_id: UUID, chunk: Chunk) -> None:
    with parts.database.unit_of_work() as session:
        outcomes = register_prepared(session, engine, memory, chunk.prepared)
        refusals = [*chunk.refusals]
        for number, outcome in zip(chunk.numbers, outcomes, strict=True):
            if isinstance(outcome, DomainError):
                refusals.append(Refusal(number, outcome.error_code))
        counts = Counter(one.decision for one in outcomes if isinstance(one, Outcome))
        counts["refused"] += len(refusals)
        values = {
            "id": import_id, "before": chunk.before, "after": chunk.after, "line": chunk.line, "now": now(),
            "until": now() + LEASE, "counts": _json(counts),
        }  # fmt: skip
        if session.scalar(ADVANCE, values) is None:
            raise Superseded
        if refusals:
            rows = [
                {"import_id": import_id, "line": one.line, "code": one.code, "expression": one.expression}
                for one in refusals
            ]
            session.execute(insert(ImportRefusal), rows)


def _json(counts: "Counter[str]") -> str:
    return "{" + ", ".join(f'"{name}": {count}' for name, count in sorted(counts.items())) + "}"


class Reader:
    """Chunks of a file in order, prepared by a helper process while the caller registers the ones before."""

    def __init__(self, parts: Renhice, import_id: UUID, source: Source, engine: Engine, size: int) -> None:
        self._parts, self._import_id, self._source, self._engine, self._size = parts, import_id, source, engine, size

    def chunks(self, form: str, start: int, line: int, *, helped: bool) -> Iterator[Chunk]:
        """From `start` on, which is after line `line`."""
        batches = self._batches(form, start, line)
        if not helped:
            for before, lines in batches:
                yield make_chunk(self._engine, self._source, before, lines)
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
            if form == "ndjson":
                stored.seek(start)
            file = cast("BinaryIO", io.BufferedReader(stored, 1 << 20))
            lines = split(file, start, line) if form == "ndjson" else read_rows(file, self._source, start)
            before = start
            while batch := list(islice(lines, self._size)):
                yield before, batch
                before = batch[-1].after


_helping: dict[str, tuple[Engine, Source]] = {}


def _begin(engine: Engine, source: Source) -> None:
    _helping["file"] = engine, source


def _help(before: int, lines: list[Line]) -> Chunk:
    return make_chunk(*_helping["file"], before, lines)


def make_chunk(engine: Engine, source: Source, before: int, lines: list[Line]) -> Chunk:
    """Read and prepare some lines."""
    read = [
        read_line(source, line.number, line.content) if isinstance(line.content, bytes) else line.content
        for line in lines
    ]
    return Chunk(
        before=before,
        after=lines[-1].after,
        line=lines[-1].number,
        numbers=[line.number for line, one in zip(lines, read, strict=True) if isinstance(one, Registration)],
        prepared=prepare(engine, [one for one in read if isinstance(one, Registration)]),
        refusals=[one for one in read if isinstance(one, Refusal)],
    )


class Stored(io.RawIOBase):
    """The file, read part by part; no more than one part is open in memory."""

    def __init__(self, session: Session, sealer: Sealer, import_id: UUID) -> None:
        self._session, self._sealer, self._import_id = session, sealer, import_id
        self._at, self._begin, self._part = 0, 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # io's signature
        if not self._begin <= self._at < self._begin + len(self._part) and not self._load():
            return 0
        found = self._part[self._at - self._begin :][: len(view)]
        view[: len(found)] = found
        self._at += len(found)
        return len(found)

    def _load(self) -> bool:
        query = select(ImportPart.offset, ImportPart.sealed).where(ImportPart.import_id == self._import_id)
        last = query.where(ImportPart.offset <= self._at).order_by(ImportPart.offset.desc()).limit(1)
        row = self._session.execute(last).one_or_none()
        key = self._session.get(DataKey, self._import_id)
        if row is None or key is None:
            return False
        self._begin = row.offset
        self._part = self._sealer.unseal(key, row.sealed, part_context(row.offset))
        self._session.commit()
        return self._at < self._begin + len(self._part)


def _hash(file: Stored) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
