"""What comes after a file: its messages delivered, `python -m benchmarks.bulk.delivery --messages 20000`.

An index loaded with as many records as give so many messages (received, and linked where the person was known), which
wait as an import leaves them; then the worker's own turns, one after the other, until none is left.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from benchmarks.bulk.worker import cpu
from benchmarks.online.load import load
from benchmarks.online.run import migrate
from consent_broker.signals import notifying, revocations
from deploy.postgres import DURABLE
from deploy.services import ephemeral_postgres
from registry import worker
from registry.app import Renhice, make_parts
from registry.database import now
from registry.settings import Settings
from registry.statistics.tasks import follow_identity

LISTENING = (notifying, revocations)
"""Who subscribes by being imported; statistics, too."""
CHUNK = 500
MESSAGES_PER_PERSON = 2.55
MESSAGES = text("""
INSERT INTO outbox (id, topic, key, payload, attempts, available_at)
SELECT uuidv7(), topic, source_record_id || '\\:1',
  jsonb_build_object('person_id', person_id, 'source_record_id', source_record_id), 0,
  CAST(:at AS timestamptz) + (number / :chunk) * interval '1 second'
FROM (
  SELECT *, row_number() OVER (ORDER BY source_record_id) AS number,
    row_number() OVER (PARTITION BY person_id ORDER BY source_record_id) AS arrival FROM memberships
) AS arrived
CROSS JOIN LATERAL unnest(
  CASE WHEN arrival = 1 THEN ARRAY['identity:record:received']
  ELSE ARRAY['identity:record:received', 'identity:person:linked'] END
) AS topic
""")
SUBSCRIPTIONS = text("""
INSERT INTO subscriptions
  (id, establishment_id, client_id, topic, endpoint, reason, status, version, events, created_at, changed_at)
SELECT gen_random_uuid(), place.id, 'benchmark', 'link', 'https://example.pe/', '-', 'active', 1, 0, now(), now()
FROM (SELECT DISTINCT establishment_id AS id FROM source_records ORDER BY 1 LIMIT :count) AS place
""")
PLACES = text("""
INSERT INTO establishments
  (id, renipress, name, category, sector, region, ubigeo, identifier_system, active, updated_at)
SELECT id, lpad(CAST(row_number() OVER () AS text), 8, '0'), 'Puesto', 'I-1', 'MINSA', 'Lima', '150101',
  'https://example.pe/' || id, true, now()
FROM (SELECT DISTINCT establishment_id AS id FROM source_records) AS place
""")
LEFT = (
    "SELECT count(*) FROM person_facts",
    "SELECT count(*) FROM signals",
    "SELECT count(*) FROM outbox WHERE last_error IS NOT NULL",
    "SELECT pg_size_pretty(pg_total_relation_size('outbox'))",
)


def fill(session: Session, subscriptions: int) -> int:
    """Messages of every record, as files leave them; how many."""
    session.execute(PLACES)
    session.execute(SUBSCRIPTIONS, {"count": subscriptions})
    session.execute(MESSAGES, {"at": now() - timedelta(days=1), "chunk": CHUNK})
    return waiting(session)


def waiting(session: Session) -> int:
    """How many are not delivered."""
    return session.scalar(text("SELECT count(*) FROM outbox")) or 0


def turn(parts: Renhice) -> float:
    """One run of the worker's task; how long it took."""
    started = time.perf_counter()
    with parts.database.unit_of_work():
        worker.relay_outbox()
    return time.perf_counter() - started


def turns(parts: Renhice, seconds: float) -> Iterator[float]:
    """Runs until nothing is left, or the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield turn(parts)
        with parts.database.unit_of_work() as session:
            if not waiting(session):
                return


def measure(parts: Renhice, count: int, seconds: float) -> None:
    """Deliver, and say what it cost."""
    backends = set[int]()

    @event.listens_for(parts.database.engine, "checkout")
    def note(connection: Any, _record: object, _proxy: object) -> None:
        backends.add(connection.info.backend_pid)

    parts.database.ping()
    started, process, backend = time.perf_counter(), time.process_time(), sum(map(cpu, backends))
    longest = max(turns(parts, seconds))
    wall, used = time.perf_counter() - started, time.process_time() - process
    server = sum(map(cpu, backends)) - backend
    with parts.database.unit_of_work() as session:
        done = count - waiting(session)
        facts, told, failed, size = (session.scalar(text(question)) for question in LEFT)
    print(
        f"{done:,} of {count:,} delivered in {wall:.1f} s: {done / wall:,.0f} a second; longest run {longest:.2f} s; "
        f"processor {1e6 * used / done:.0f} us of Python and {1e6 * server / done:.0f} us of PostgreSQL a message"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{facts:,} facts, {told:,} notifications, {failed} failed; outbox {size}; {peak:.0f} MB", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=60, help="give up after that")
    parser.add_argument("--subscriptions", type=int, default=0, help="establishments that ask to be told of links")
    parser.add_argument("--seed", type=int, default=505)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as keys, ephemeral_postgres(settings=DURABLE) as url:
        migrate(url)
        settings = Settings(environment="test", database_url=url, broker_url="memory://", keys_dir=Path(keys) / "keys")
        parts = make_parts(settings)
        follow_identity(parts)
        records = load(url, parts.sealer, options.seed, int(options.messages / MESSAGES_PER_PERSON))
        with parts.database.unit_of_work() as session:
            count = fill(session, options.subscriptions)
        print(f"{records:,} records, {count:,} messages wait; load {os.getloadavg()[0]:.1f}", flush=True)
        measure(parts, count, options.seconds)
        parts.database.engine.dispose()


if __name__ == "__main__":
    main()
