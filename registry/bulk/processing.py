"""Registering a file: read and prepared by one process while another registers, a chunk and its cursor in one commit.

Killed at any point nothing is lost and nothing doubled: what a chunk registered and how far the file is are one
transaction, which only takes effect where the file still is where the chunk began.
"""

import time
from collections import Counter
from dataclasses import KW_ONLY, dataclass
from functools import partial
from uuid import UUID

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from matching.collecting import collect_young, uncollected
from matching.files import FileError
from registry.app import Renhice
from registry.bulk.chunks import ELSEWHERE, Chunk, Reader, refused_chunk
from registry.bulk.lines import Refusal, Source
from registry.bulk.models import COMPLETED, FAILED, PROCESSING, Import, ImportRefusal
from registry.bulk.pace import Pace
from registry.bulk.service import MOST_REFUSALS, end, give_back, give_up
from registry.bulk.stored import Stored, hash_of
from registry.bulk.transfers import LEASE, lend
from registry.database import now
from registry.directory.service import get_establishment
from registry.errors import DomainError
from registry.identity.batch.neighbours import Memory
from registry.identity.batch.service import register_prepared
from registry.identity.engine import Engine, engine_of
from registry.identity.registration import Outcome
from registry.questions import await_no_disk
from registry.sealing import Sealer
from registry.telemetry import logger

_log = logger(__name__)

CHUNK = 500
HELPER_FROM_BYTES = 4 << 20
CAREFUL_FROM = 3
"""The attempt from which a file is registered line by line, so that one line that can't be stops no other."""

MOST_FAULTY = 3
"""Lines one after another refused for a fault of ours; one more, and it is not the lines' doing."""

ADVANCE = text("""
UPDATE imports SET position = :after, line = :line, leased_until = :until, changed_at = :now,
  attempts = CASE WHEN CAST(:faulty AS boolean) THEN attempts ELSE 0 END,
  counts = (SELECT jsonb_object_agg(name, coalesce((counts ->> name)::bigint, 0) + coalesce((said ->> name)::bigint, 0))
            FROM (SELECT CAST(:counts AS jsonb) AS said) AS new,
                 LATERAL (SELECT jsonb_object_keys(counts || said) AS name) AS names)
WHERE id = :id AND position = :before AND status = 'processing' RETURNING (counts ->> 'refused')::bigint
""")


class Superseded(Exception):
    """The file is not where the chunk began: somebody else goes on with it, or it was called off."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a turn begins, and how: `careful` line by line, `large` files with a helper."""

    source: Source
    format: str
    position: int
    line: int
    _: KW_ONLY
    large: bool
    careful: bool


def take_due(session: Session) -> UUID | None:
    """An import to go on with, lent; None when there is none."""
    taken = lend(session, Import, give_up)
    return taken.id if taken else None


def process(parts: Renhice, import_id: UUID, seconds: float = float("inf"), chunk: int = CHUNK) -> bool:
    """Go on with an import for so long; True when it is done with."""
    deadline = time.monotonic() + seconds
    with parts.database.unit_of_work() as session:
        begun = _begin_turn(session, parts.sealer, import_id)
    if begun is None:
        return True
    engine, careful = engine_of(parts), begun.careful
    pace = Pace(1 if careful else chunk)
    work = Reader(parts, import_id, begun.source, engine, pace, careful=careful)
    apply = Careful(parts, engine, import_id) if careful else partial(_apply, parts, engine, Memory(), import_id)
    try:
        with uncollected():  # records remembered are many, and last: looking for circles was a fifth of the work
            for one in work.chunks(begun.format, begun.position, begun.line, helped=begun.large and not careful):
                started = time.monotonic()
                apply(one)
                pace.learn(len(one.numbers) + len(one.refusals), time.monotonic() - started)
                collect_young()
                if time.monotonic() > deadline:
                    with parts.database.unit_of_work() as session:
                        give_back(session, import_id, one.after)
                    return False
    except Superseded:
        return False
    except FileError:
        return _finish(parts, import_id, FAILED, "not-a-table")
    return _finish(parts, import_id, COMPLETED, None)


def _begin_turn(session: Session, sealer: Sealer, import_id: UUID) -> Turn | None:
    """Where to go on; None when there is nothing to do, or the file turns out not to be the one announced."""
    found = session.get_one(Import, import_id)
    if found.status != PROCESSING:
        return None
    if found.position == 0 and hash_of(Stored(session, sealer, found.id)) != found.sha256:
        end(session, found, FAILED, "checksum-mismatch")
        return None
    place = get_establishment(session, found.establishment_id)
    source = Source(
        establishment_id=found.establishment_id,
        client_id=found.client_id,
        token_id=found.token_id,
        system=place.identifier_system,
        sent_at=found.created_at,
        code=place.renipress,
    )
    large, careful = found.size >= HELPER_FROM_BYTES, found.attempts >= CAREFUL_FROM
    return Turn(source, found.format, found.position, found.line, large=large, careful=careful)


def _finish(parts: Renhice, import_id: UUID, status: str, error: str | None) -> bool:
    with parts.database.unit_of_work() as session:
        found = session.scalars(select(Import).where(Import.id == import_id).with_for_update()).one()
        if found.status == PROCESSING:
            end(session, found, status, error)
    return True


def _apply(parts: Renhice, engine: Engine, memory: Memory, import_id: UUID, chunk: Chunk) -> None:
    with parts.database.unit_of_work() as session:
        # What a fallen server loses of a chunk, cursor and all, is registered again. Whoever commits after it makes it
        # durable too: so what is delivered, disclosed or reported as completed stays.
        await_no_disk(session)
        outcomes = register_prepared(session, engine, memory, chunk.batch)
        refusals = [*chunk.refusals]
        for number, outcome in zip(chunk.numbers, outcomes, strict=True):
            if isinstance(outcome, DomainError):
                refusals.append(Refusal(number, outcome.error_code))
        counts = Counter(one.decision for one in outcomes if isinstance(one, Outcome))
        counts["refused"] += len(refusals)
        values = {
            "id": import_id, "before": chunk.before, "after": chunk.after, "line": chunk.line, "now": now(),
            "until": now() + LEASE, "counts": _json(counts), "faulty": chunk.faulty,
        }  # fmt: skip
        if (refused := session.scalar(ADVANCE, values)) is None:
            raise Superseded
        told = refusals[: max(MOST_REFUSALS - (refused - len(refusals)), 0)]
        if told:
            rows = [
                {"import_id": import_id, "line": one.line, "code": one.code, "expression": one.expression}
                for one in told
            ]
            session.execute(insert(ImportRefusal), rows)


@dataclass(slots=True)
class Careful:
    """Registers chunks of one line; a line that fails of itself is refused, at most three one after another."""

    parts: Renhice
    engine: Engine
    import_id: UUID
    run: int = 0

    def __call__(self, chunk: Chunk) -> None:
        """Raises what says nothing of the line, and the fault of a fourth line in a row."""
        try:
            self._register(chunk)
        except (Superseded, *ELSEWHERE):
            raise
        except Exception as error:
            self.run += 1
            if self.run > MOST_FAULTY:
                raise
            kind = type(error).__name__
            _log.error("import line refused", import_id=str(self.import_id), line=chunk.line, error_type=kind)
            _apply(
                self.parts, self.engine, Memory(), self.import_id, refused_chunk(chunk.before, chunk.after, chunk.line)
            )
        else:
            self.run = 0

    def _register(self, chunk: Chunk) -> None:
        if chunk.faulty:
            raise FaultyLine
        _apply(self.parts, self.engine, Memory(), self.import_id, chunk)


class FaultyLine(Exception):
    """A line could not even be read or prepared."""


def _json(counts: "Counter[str]") -> str:
    return "{" + ", ".join(f'"{name}": {count}' for name, count in sorted(counts.items())) + "}"
