"""What resolving one record costs: wall time, processor time of the process and of its PostgreSQL backend, queries."""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.online.load import SYSTEM, establishment
from matching.blocking import blocking_keys
from matching.normalise import normalise
from matching.schema import FileRecord
from registry.app import Renhice
from registry.identity.candidates import find_persons
from registry.identity.engine import blind_keys
from registry.identity.service import Content, Registration, SearchTooWide, engine_of, match, register_source_record

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """One verb over all probes; milliseconds for one call, `process` and `backend` of processor time."""

    p50: float
    p95: float
    process: float
    backend: float
    queries: float

    @property
    def cpu(self) -> float:
        """Processor time of both sides."""
        return self.process + self.backend


@dataclass(frozen=True, slots=True)
class Width:
    """Whom the search finds by keys: mean and largest numbers of persons and their records, and blocks cut a probe."""

    persons: float
    records: float
    most_records: int
    cut: float


def measure_width(parts: Renhice, probes: Sequence[FileRecord]) -> Width:
    """How wide the search is; says whether the cost that follows grows with the index."""
    persons, members, before = list[int](), list[int](), _blocks_cut()
    with parts.database.unit_of_work() as session:
        for probe in probes:
            tokens = blind_keys(parts.sealer, blocking_keys(normalise(probe.demographics)))
            found = find_persons(session, parts.sealer, tokens)
            persons.append(len(found))
            members.append(sum(len(person.members) for person in found.values()))
    cut = _blocks_cut() - before
    return Width(statistics.mean(persons), statistics.mean(members), max(members), cut / len(probes))


def measure_match(parts: Renhice, probes: Sequence[FileRecord]) -> Cost:
    """Search for each probe and commit, as `$match` does: what the driver has prepared stays so."""
    engine = engine_of(parts)

    def search(session: Session, probe: FileRecord) -> None:
        with suppress(SearchTooWide):
            match(session, engine, probe.demographics)
        session.commit()

    return _measure(parts, probes, search)


def measure_registration(parts: Renhice, probes: Sequence[FileRecord]) -> Cost:
    """Register each probe and take it back, so that every probe meets the same index."""
    engine = engine_of(parts)

    def register(session: Session, probe: FileRecord) -> None:
        content = Content(SYSTEM, probe.local_id, probe.demographics)
        at = establishment(probe.establishment)
        register_source_record(session, engine, Registration(establishment_id=at, client_id="probe", content=content))
        session.flush()

    return _measure(parts, probes, register)


def _measure(parts: Renhice, probes: Sequence[FileRecord], work: Callable[[Session, FileRecord], object]) -> Cost:
    walls = list[float]()
    with parts.database.unit_of_work() as session, counted() as queries:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
        session.rollback()
        process, server = time.process_time(), _cpu(backend)
        queries.clear()
        for probe in probes:
            started = time.perf_counter()
            work(session, probe)
            walls.append(time.perf_counter() - started)
            session.rollback()
            session.expunge_all()
        process, server = time.process_time() - process, _cpu(backend) - server
    count = len(probes)
    marks = statistics.quantiles([1000 * wall for wall in walls], n=20)
    return Cost(marks[9], marks[18], 1000 * process / count, 1000 * server / count, len(queries) / count)


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements sent meanwhile, by whatever road they reach the driver."""
    sent, execute = list[str](), psycopg.Cursor.execute

    def note(cursor: Any, query: Any, *parameters: Any, **options: Any) -> Any:
        sent.append(str(query))
        return execute(cursor, query, *parameters, **options)

    with patch.object(psycopg.Cursor, "execute", note):
        yield sent


def _blocks_cut() -> float:
    return REGISTRY.get_sample_value("renhice_oversized_blocks_total") or 0.0


def _cpu(pid: int) -> float:
    """Seconds of processor time of a process of this machine, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
