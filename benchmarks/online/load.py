"""An index of a wanted size, loaded by COPY: sealed records with their blocking tokens, each under its true person."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

import psycopg
from sqlalchemy import make_url

from benchmarks.linkage.clerks import COLUMNS, Row
from benchmarks.linkage.generate import records
from benchmarks.linkage.population import Person
from matching.blocking import blocking_keys
from matching.key_scheme import key_scheme
from matching.normalise import normalise
from matching.schema import FileRecord, read_records
from registry.database import new_id
from registry.identity.contents import Content, local_domain, seal_context, to_bytes
from registry.identity.engine import blind_keys
from registry.sealing import Sealer

SYSTEM = "https://example.pe/hc"
NAMESPACE = UUID("6f1d4c1e-2f8a-4b39-9d8b-0d5a3d7f2b11")
BATCH = 5_000
SOURCE = (
    "id", "establishment_id", "local_token", "version", "content_token", "scheme", "active", "verified", "created_at",
    "received_at",
)  # fmt: skip
TABLES: dict[str, tuple[str, ...]] = {
    "persons": ("id", "status", "revision", "created_at"),
    "source_records": SOURCE,
    "data_keys": ("owner_id", "master_key_id", "wrapped"),
    "source_record_versions": ("source_record_id", "version", "sealed", "active", "client_id", "received_at"),
    "memberships": ("source_record_id", "person_id", "since"),
    "blocking_tokens": ("token", "source_record_id", "scheme"),
}


def establishment(code: str) -> UUID:
    """The id of an establishment of the benchmark; identity refers to establishments without a foreign key."""
    return uuid5(NAMESPACE, code)


def read(rows: Iterable[Row]) -> list[FileRecord]:
    """The rows as the engine reads them from a file."""
    source = io.BytesIO()
    lines = io.TextIOWrapper(source, encoding="utf-8", newline="", write_through=True)
    out = csv.writer(lines)
    out.writerow(COLUMNS)
    out.writerows(row.values() for row in rows)
    source.seek(0)
    return list(read_records(source))


def load(url: str, sealer: Sealer, seed: int, persons: int) -> int:
    """Fill a migrated, empty database; the number of records."""
    count, known = 0, dict[int, UUID]()
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        if connection.info.parameter_status("is_superuser") == "on":  # nobody else may; for them keys are checked
            connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute("ALTER TABLE blocking_tokens DROP CONSTRAINT pk_blocking_tokens")
        for batch in _batches(records(seed, persons)):
            _copy(connection, _tables(sealer, batch, known))
            count += len(batch)
        connection.execute(
            "ALTER TABLE blocking_tokens ADD CONSTRAINT pk_blocking_tokens PRIMARY KEY (token, source_record_id)"
        )
        connection.execute("VACUUM ANALYZE")
        connection.execute("SET enable_seqscan = off")
        connection.execute("SELECT count(*) FROM blocking_tokens")  # as a server has it that wrote its keys one by one
    return count


def _batches(rows: Iterable[tuple[Row, Person]]) -> Iterator[list[tuple[Row, Person]]]:
    rows = iter(rows)
    while batch := list(islice(rows, BATCH)):
        yield batch


def _tables(sealer: Sealer, batch: list[tuple[Row, Person]], known: dict[int, UUID]) -> dict[str, list[Any]]:
    tables: dict[str, list[Any]] = {name: [] for name in TABLES}
    for record, (_, person) in zip(read(row for row, _ in batch), batch, strict=True):
        person_id = known.get(person.id)
        if person_id is None:
            person_id = known[person.id] = new_id()
            tables["persons"].append((person_id, "active", 1, datetime.now(UTC)))
        _add(tables, sealer, record, person_id)
    return tables


def _add(tables: dict[str, list[Any]], sealer: Sealer, record: FileRecord, person_id: UUID) -> None:
    record_id, at, moment = new_id(), establishment(record.establishment), datetime.now(UTC)
    content = Content(SYSTEM, record.local_id, record.demographics)
    plaintext = to_bytes(content)
    sealed = sealer.seal_anew(record_id, plaintext, seal_context(1))
    local = sealer.blind(local_domain(at), content.local_number)
    said = sealer.blind(f"content:{record_id}", f"True:{plaintext.decode()}")
    tokens = blind_keys(sealer, blocking_keys(normalise(content.demographics)))
    tables["source_records"].append((record_id, at, local, 1, said, key_scheme(), True, False, moment, moment))
    tables["data_keys"].append((record_id, sealed.master_key_id, sealed.wrapped))
    tables["source_record_versions"].append((record_id, 1, sealed.sealed, True, "benchmark", moment))
    tables["memberships"].append((record_id, person_id, moment))
    tables["blocking_tokens"].extend((token, record_id, key_scheme()) for token in tokens)


def _copy(connection: psycopg.Connection[Any], tables: dict[str, list[Any]]) -> None:
    for name, columns in TABLES.items():
        statement = f"COPY {name} ({', '.join(columns)}) FROM STDIN"
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for values in tables[name]:
                copy.write_row(values)
