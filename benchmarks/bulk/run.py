"""A national file imported, killed half-way and taken up again: `python -m benchmarks.bulk.run --records 200000`."""

import argparse
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid5

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.bulk.floor import measure_floor
from benchmarks.linkage.generate import records
from benchmarks.online.load import NAMESPACE, read
from benchmarks.online.run import migrate
from deploy.postgres import DURABLE, THROWAWAY
from deploy.services import ephemeral_postgres
from matching.normalise import Normalised
from matching.records import Demographics
from matching.schema import FileRecord
from registry.access import Caller
from registry.app import Renhice, make_parts
from registry.bulk.models import COMPLETED, Import
from registry.bulk.service import MOST_PART_BYTES, Announced, announce, append
from registry.database import new_id, now
from registry.directory.models import Establishment
from registry.fhir.patient_writing import own_record
from registry.identity.candidates import LoadedMember
from registry.identity.contents import Content
from registry.identity.models import Membership, SourceRecord
from registry.settings import Settings

SYSTEM = "https://example.pe/hc"
PLACE = uuid5(NAMESPACE, "bulk")
GOAL = 3000
TODAY = now().date()
PERSONS_PER_RECORD = 0.56


def write_file(path: Path, seed: int, count: int) -> int:
    """`count` patients as NDJSON, each under a local number of its own; the file's size."""
    with path.open("wb") as file:
        for number, one in enumerate(islice(_born(seed, count), count)):
            file.write(line(f"HC{number:08d}", one.demographics))
    return path.stat().st_size


def line(number: str, demographics: Demographics) -> bytes:
    """A patient as a line of a file."""
    member = LoadedMember(new_id(), PLACE, 1, True, False, now(), Content(SYSTEM, number, demographics), Normalised())
    body = own_record(member, "-")
    made = {name: value for name, value in body.items() if name not in {"id", "meta", "link"}}
    made["identifier"] = [one for one in body["identifier"] if not one.get("system", "").endswith("/registro")]
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _born(seed: int, count: int) -> Iterator[FileRecord]:
    rows = records(seed, int(count * PERSONS_PER_RECORD * 1.1) + 100)
    while batch := list(islice(rows, 5000)):
        for one in read(row for row, _ in batch):
            if one.demographics.birth_date is None or one.demographics.birth_date <= TODAY:
                yield one


def upload(parts: Renhice, path: Path, size: int) -> UUID:
    """The file as an establishment uploads it."""
    caller = Caller(client_id="bulk", establishment_id=PLACE, scopes=frozenset(), token_id="-", audience="/api/v1")
    with parts.database.unit_of_work() as session:
        session.add(
            Establishment(
                id=PLACE, renipress="00000001", name="Hospital", category="III-1", sector="MINSA", region="Lima",
                ubigeo="150101", identifier_system=SYSTEM, active=True,
            )
        )  # fmt: skip
        session.flush()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        made, _ = announce(session, caller, Announced(format="ndjson", size=size, sha256=digest))
    with path.open("rb") as file:
        offset = 0
        while part := file.read(MOST_PART_BYTES):
            with parts.database.unit_of_work() as session:
                append(session, parts.sealer, caller, made.id, offset, part)
            offset += len(part)
    return made.id


def environment_of(settings: Settings) -> dict[str, str]:
    """What a worker of its own finds the same database and keys by."""
    return dict(os.environ) | {
        "RENHICE_ENVIRONMENT": "test", "RENHICE_DATABASE_URL": settings.database_url,
        "RENHICE_BROKER_URL": "memory://", "RENHICE_KEYS_DIR": str(settings.keys_dir),
    }  # fmt: skip


def work(environment: dict[str, str], import_id: UUID, output: Path) -> "subprocess.Popen[bytes]":
    """A worker of its own, in a session of its own so that its helper ends with it."""
    command = [sys.executable, "-m", "benchmarks.bulk.worker", str(import_id)]
    return subprocess.Popen(command, env=environment, stdout=output.open("wb"), start_new_session=True)


def done(parts: Renhice, import_id: UUID) -> tuple[float, str]:
    """How much of the file is registered, and its status."""
    with parts.database.unit_of_work() as session:
        found = session.get_one(Import, import_id)
        return found.position / found.size, found.status


def check(session: Session, count: int) -> dict[str, int]:
    """What there is: records, numbers held twice, memberships."""
    twice = select(SourceRecord.local_token).group_by(SourceRecord.local_token).having(func.count() > 1).subquery()
    return {
        "records": session.scalar(select(func.count()).select_from(SourceRecord)) or 0,
        "doubled": session.scalar(select(func.count()).select_from(twice)) or 0,
        "memberships": session.scalar(select(func.count()).select_from(Membership)) or 0,
        "wanted": count,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=505)
    parser.add_argument("--throwaway", action="store_true", help="64 MB of buffers and no fsync, as before")
    options = parser.parse_args()
    server = THROWAWAY if options.throwaway else DURABLE
    with tempfile.TemporaryDirectory() as scratch, ephemeral_postgres(settings=server) as url:
        home, count = Path(scratch), options.records
        home.chmod(0o755)
        migrate(url)
        settings = Settings(environment="test", database_url=url, broker_url="memory://", keys_dir=home / "keys")
        parts = make_parts(settings)
        size = write_file(home / "file.ndjson", options.seed, count)
        import_id = upload(parts, home / "file.ndjson", size)
        print(f"{count:,} records, {size / 1e6:.0f} MB uploaded", flush=True)
        started = time.perf_counter()
        worker = work(environment_of(settings), import_id, home / "first")
        while done(parts, import_id)[0] < 0.5 and worker.poll() is None:
            time.sleep(0.2)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        half = done(parts, import_id)[0]
        second = work(environment_of(settings), import_id, home / "second")
        second.wait()
        wall = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        with parts.database.unit_of_work() as session:
            backend = json.loads((home / "second").read_text())
            found = check(session, count)
            decisions = session.get_one(Import, import_id).counts
        status = done(parts, import_id)[1]
        rate, share = count / wall, 1 - half
        own, server = backend["process"] + backend["helper"], backend["backend"]
        cores = (own + server) / (share * count)
        print(f"killed at {100 * half:.0f} %; then {status}; {found}; {decisions}", flush=True)
        print(f"wall: {rate:,.0f} records/s, both starts and the kill included ({wall:.0f} s); the goal is {GOAL:,}")
        print(
            f"processor, second half: {1e6 * own / (share * count):.0f} us of Python and "
            f"{1e6 * server / (share * count):.0f} us of PostgreSQL a record; two idle cores: {2 / cores:,.0f}/s",
            flush=True,
        )
        parted = ", ".join(f"{name} {1e6 * spent / (share * count):.0f} us" for name, spent in backend.items())
        print(f"of that: {parted}", flush=True)
        floor = measure_floor(url, count)
        print(f"floor: COPY of the same rows {floor:,.0f} records/s; ratio {rate / floor:.3f}")
        print(f"processor of all children: {used.ru_utime + used.ru_stime:.0f} s")
        whole = found["records"] == count and not found["doubled"] and status == COMPLETED
        parts.database.engine.dispose()
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
