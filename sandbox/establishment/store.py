"""An establishment's own database: its patients, the queue that registers them, and their clinical records."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from sandbox.documents import ClinicalDocument

Json = dict[str, Any]
SCHEMA = """
CREATE TABLE IF NOT EXISTS patients (
    local_number TEXT PRIMARY KEY,
    resource TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'SENT', 'ERROR')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt REAL NOT NULL DEFAULT 0,
    source_record_id TEXT UNIQUE,
    version TEXT,
    reason TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS patients_due ON patients (status, next_attempt);
CREATE TABLE IF NOT EXISTS clinical (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    local_number TEXT NOT NULL,
    resource TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS clinical_of_patient ON clinical (local_number, type);
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY,
    local_number TEXT NOT NULL,
    code TEXT NOT NULL,
    title TEXT NOT NULL,
    content_type TEXT NOT NULL,
    created TEXT NOT NULL,
    content BLOB NOT NULL,
    told INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS accesses (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    patient TEXT NOT NULL,
    event TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS accesses_of_patient ON accesses (patient, at);
CREATE TABLE IF NOT EXISTS switches (name TEXT PRIMARY KEY, state INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Pending:
    """A patient waiting to be registered."""

    local_number: str
    resource: Json
    attempts: int


@dataclass(frozen=True, slots=True)
class Registered:
    """What the registry answered: the id both sides share for the patient, and its version."""

    source_record_id: str
    version: str


class Store:
    """SQLite in WAL mode with full synchronisation: what was acknowledged survives `kill -9`."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def add(self, entries: Iterable[tuple[Json, str, list[Json]]]) -> None:
        """Keep patients (resource, local number, clinical records), once: what is known already stays as it is."""
        with self._write() as db:
            for patient, local_number, history in entries:
                db.execute(
                    "INSERT OR IGNORE INTO patients (local_number, resource) VALUES (?, ?)",
                    (local_number, json.dumps(patient, ensure_ascii=False)),
                )
                db.executemany(
                    "INSERT OR IGNORE INTO clinical (id, type, local_number, resource) VALUES (?, ?, ?, ?)",
                    [(r["id"], r["resourceType"], local_number, json.dumps(r, ensure_ascii=False)) for r in history],
                )

    def keep(self, document: ClinicalDocument) -> None:
        """Keep a document of a patient, once."""
        with self._write() as db:
            db.execute(
                "INSERT OR IGNORE INTO documents (id, local_number, code, title, content_type, created, content)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                astuple(document),
            )

    def untold(self) -> tuple[ClinicalDocument, str] | None:
        """Return a document the registry does not know of, of a patient it knows, and that patient's shared id."""
        rows = self._read(
            "SELECT id, local_number, code, title, content_type, created, content, source_record_id"
            " FROM documents JOIN patients USING (local_number)"
            " WHERE told = 0 AND source_record_id IS NOT NULL ORDER BY documents.rowid LIMIT 1"
        )
        return (ClinicalDocument(*rows[0][:-1]), rows[0][-1]) if rows else None

    def mark_told(self, document_id: str) -> None:
        """Record that the registry knows of a document, or refused it."""
        with self._write() as db:
            db.execute("UPDATE documents SET told = 1 WHERE id = ?", (document_id,))

    def document(self, document_id: str, source_record_id: str) -> ClinicalDocument | None:
        """Return a document, or None when it is not that patient's."""
        rows = self._read(
            "SELECT id, local_number, code, title, content_type, created, content"
            " FROM documents JOIN patients USING (local_number)"
            " WHERE id = ? AND source_record_id = ?",
            (document_id, source_record_id),
        )
        return ClinicalDocument(*rows[0]) if rows else None

    def due(self, now: float, limit: int) -> list[Pending]:
        """Return pending patients whose next attempt has come."""
        rows = self._read(
            "SELECT local_number, resource, attempts FROM patients"
            " WHERE status = 'PENDING' AND next_attempt <= ? ORDER BY next_attempt, rowid LIMIT ?",
            (now, limit),
        )
        return [Pending(number, json.loads(resource), attempts) for number, resource, attempts in rows]

    def mark_sent(self, local_number: str, registered: Registered) -> None:
        """Record the registry's acknowledgement."""
        with self._write() as db:
            db.execute(
                "UPDATE patients SET status = 'SENT', source_record_id = ?, version = ?, reason = NULL,"
                " attempts = attempts + 1 WHERE local_number = ?",
                (registered.source_record_id, registered.version, local_number),
            )

    def mark_error(self, local_number: str, reason: str) -> None:
        """Record a refusal that sending again would not change."""
        with self._write() as db:
            db.execute(
                "UPDATE patients SET status = 'ERROR', reason = ?, attempts = attempts + 1 WHERE local_number = ?",
                (reason, local_number),
            )

    def postpone(self, local_number: str, until: float, reason: str) -> None:
        """Leave a patient pending until a later attempt."""
        with self._write() as db:
            db.execute(
                "UPDATE patients SET next_attempt = ?, reason = ?, attempts = attempts + 1 WHERE local_number = ?",
                (until, reason, local_number),
            )

    def amend(self, local_number: str, resource: Json) -> None:
        """Change what is known of a patient; it is due again."""
        with self._write() as db:
            db.execute(
                "UPDATE patients SET resource = ?, status = 'PENDING', next_attempt = 0 WHERE local_number = ?",
                (json.dumps(resource, ensure_ascii=False), local_number),
            )

    def sent(self) -> list[tuple[str, Json, str]]:
        """Return the registered patients: local number, resource and the id shared with the registry."""
        rows = self._read(
            "SELECT local_number, resource, source_record_id FROM patients WHERE status = 'SENT' ORDER BY rowid"
        )
        return [(number, json.loads(resource), shared) for number, resource, shared in rows]

    def note_access(self, event: Json, patient: str, at: float) -> None:
        """Keep the trace of an access, for good, before anything is shown."""
        with self._write() as db:
            db.execute(
                "INSERT INTO accesses (id, at, patient, event) VALUES (?, ?, ?, ?)",
                (event["id"], at, patient, json.dumps(event, ensure_ascii=False)),
            )

    def accesses(self, patient: str, since: float) -> list[Json]:
        """Return the traces of a patient's records since a moment, newest first."""
        rows = self._read(
            "SELECT event FROM accesses WHERE patient = ? AND at >= ? ORDER BY at DESC LIMIT 500", (patient, since)
        )
        return [json.loads(event) for (event,) in rows]

    def retry(self) -> None:
        """Make everything unsent due now, refused patients included."""
        with self._write() as db:
            db.execute("UPDATE patients SET status = 'PENDING', next_attempt = 0 WHERE status <> 'SENT'")

    def counts(self) -> dict[str, int]:
        """Return how many patients are pending, sent and in error."""
        found = dict(self._read("SELECT lower(status), count(*) FROM patients GROUP BY status"))
        return {status: found.get(status, 0) for status in ("pending", "sent", "error")}

    def reasons(self, limit: int = 20) -> list[Json]:
        """Return why patients are not sent, by local number."""
        rows = self._read(
            "SELECT local_number, status, reason FROM patients WHERE reason IS NOT NULL AND status <> 'SENT' LIMIT ?",
            (limit,),
        )
        return [{"local_number": n, "status": status, "reason": reason} for n, status, reason in rows]

    def sending(self) -> bool:
        """Whether the queue was told to send: a switch that outlives the process."""
        return self._read("SELECT state FROM switches WHERE name = 'sending'") == [(1,)]

    def switch_sending(self, *, on: bool) -> None:
        """Turn the queue on or off."""
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO switches (name, state) VALUES ('sending', ?)", (int(on),))

    def search(self, kind: str, source_record_id: str) -> list[Json]:
        """Return the clinical records of one type of the patient the registry knows by that id."""
        rows = self._read(
            "SELECT clinical.resource FROM clinical JOIN patients USING (local_number)"
            " WHERE source_record_id = ? AND type = ? ORDER BY clinical.rowid",
            (source_record_id, kind),
        )
        return [json.loads(resource) for (resource,) in rows]

    def read(self, kind: str, resource_id: str, source_record_id: str) -> Json | None:
        """Return one clinical record, or None when it is not that patient's."""
        found = (r for r in self.search(kind, source_record_id) if r["id"] == resource_id)
        return next(found, None)

    def _read(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(statement, parameters).fetchall()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
