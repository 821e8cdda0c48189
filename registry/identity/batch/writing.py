"""A placed chunk as rows, written by COPY: the same rows that registering one by one writes."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from matching.key_scheme import key_scheme
from matching.records import DocumentType
from registry.database import new_id
from registry.identity.batch.preparing import Prepared
from registry.identity.engine import Engine
from registry.identity.events import EventKind
from registry.identity.membership import ENGINE, contributions_of
from registry.identity.models import OPEN
from registry.identity.placement import Placement
from registry.identity.registration import LINKED, RECEIVED
from registry.telemetry import current_request_id

UUIDS, BYTES, TEXT, INT, BOOL, MOMENT, JSON = "uuid", "bytea", "text", "int4", "bool", "timestamptz", "jsonb"
TABLES: Mapping[str, Mapping[str, str]] = {
    "persons": {"id": UUIDS, "status": TEXT, "revision": INT, "created_at": MOMENT},
    "source_records": {
        "id": UUIDS, "establishment_id": UUIDS, "local_token": BYTES, "version": INT, "content_token": BYTES,
        "scheme": INT, "active": BOOL, "verified": BOOL, "deceased_reported": BOOL, "deceased_confirmed": BOOL,
        "next_check_at": MOMENT, "created_at": MOMENT, "received_at": MOMENT, "said_at": MOMENT,
    },
    "data_keys": {"owner_id": UUIDS, "master_key_id": TEXT, "wrapped": BYTES},
    "source_record_versions": {
        "source_record_id": UUIDS, "version": INT, "sealed": BYTES, "active": BOOL, "client_id": TEXT,
        "received_at": MOMENT,
    },
    "memberships": {"source_record_id": UUIDS, "person_id": UUIDS, "since": MOMENT},
    "membership_events": {
        "kind": TEXT, "person_id": UUIDS, "source_record_id": UUIDS, "at": MOMENT, "actor": TEXT, "reason": TEXT,
        "model_hash": TEXT, "weight": "float8", "contributions": JSON,
    },
    "blocking_tokens": {"token": BYTES, "source_record_id": UUIDS, "scheme": INT},
    "possible_matches": {
        "id": UUIDS, "source_record_id": UUIDS, "version": INT, "rivals": "uuid[]", "reason": TEXT, "weight": "float8",
        "contributions": JSON, "model_hash": TEXT, "status": TEXT, "created_at": MOMENT, "revision": INT,
        "undecided": INT,
    },
    "audit_events": {
        "id": UUIDS, "recorded_at": MOMENT, "request_id": TEXT, "action": TEXT, "outcome": TEXT, "person_id": UUIDS,
        "source_record_id": UUIDS, "establishment_id": UUIDS, "client_id": TEXT, "token_id": TEXT, "detail": JSON,
    },
    "outbox": {
        "id": UUIDS, "topic": TEXT, "key": TEXT, "payload": JSON, "attempts": INT, "available_at": MOMENT,
    },
}  # fmt: skip
"""The columns written, in the order in which rows may refer to each other."""

REVISE = text("""
UPDATE persons SET revision = revision + joined.times
FROM unnest(CAST(:persons AS uuid[]), CAST(:times AS int[])) AS joined (id, times) WHERE persons.id = joined.id
""")


@dataclass(frozen=True, slots=True)
class Placed:
    """A record of the chunk and where it goes; `is_new` when the person is made for it."""

    one: Prepared
    placement: Placement
    person_id: UUID
    is_new: bool


class Rows:
    """What is to be written, by table."""

    def __init__(self, engine: Engine, moment: datetime) -> None:
        self.tables: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.joined: Counter[UUID] = Counter()
        self._engine, self._moment = engine, moment
        self._request_id = current_request_id()

    def add(self, placed: Placed) -> None:
        """All rows of one new record."""
        one, person_id, moment = placed.one, placed.person_id, self._moment
        if placed.is_new:
            self.tables["persons"].append((person_id, "active", 1, moment))
        else:
            self.joined[person_id] += 1
        self._add_record(one)
        self.tables["memberships"].append((one.record_id, person_id, moment))
        self._add_decision(placed)
        payload = {"person_id": str(person_id), "source_record_id": str(one.record_id)}
        topics = [RECEIVED, *([LINKED] if placed.placement.decision == "link" else [])]
        for topic in topics:
            self.tables["outbox"].append((new_id(), topic, f"{one.record_id}:1", payload, 0, moment))
        for action in (RECEIVED, LINKED):
            self.account(one, action, one.record_id, person_id, placed.placement.decision, 1)

    def account(
        self, one: Prepared, action: str, record_id: UUID, person_id: UUID, decision: str, version: int
    ) -> None:  # fmt: skip
        """The audit row of what was done."""
        said = one.registration
        detail = {"decision": decision, "version": version}
        self.tables["audit_events"].append(
            (
                new_id(), self._moment, self._request_id, action, "success", person_id, record_id,
                said.establishment_id, said.client_id, said.token_id, detail,
            )
        )  # fmt: skip

    def _add_record(self, one: Prepared) -> None:
        said, moment = one.registration, self._moment
        token = self._engine.sealer.blind(f"content:{one.record_id}", one.said)
        due = any(document.type is DocumentType.DNI for document in one.normalised.documents)
        self.tables["source_records"].append(
            (
                one.record_id, said.establishment_id, one.local_token, 1, token, key_scheme(), said.active, False,
                said.content.deceased is not None, False, moment if due else None, moment, moment, said.said_at,
            )
        )  # fmt: skip
        self.tables["data_keys"].append((one.record_id, one.sealed.master_key_id, one.sealed.wrapped))
        version = (one.record_id, 1, one.sealed.sealed, said.active, said.client_id, moment)
        self.tables["source_record_versions"].append(version)
        scheme = key_scheme()
        self.tables["blocking_tokens"].extend([(token, one.record_id, scheme) for token in one.tokens])

    def _add_decision(self, placed: Placed) -> None:
        found, record_id, moment = placed.placement.resolution, placed.one.record_id, self._moment
        linked = found.score if placed.placement.decision == "link" else None
        self.tables["membership_events"].append(
            (
                EventKind.LINKED.value, placed.person_id, record_id, moment, ENGINE, found.reason,
                self._engine.model.hash, linked.weight_bits if linked else None,
                contributions_of(linked) if linked else None,
            )
        )  # fmt: skip
        if placed.placement.decision == "review" and found.score is not None:
            self.tables["possible_matches"].append(
                (
                    new_id(), record_id, 1, sorted(placed.placement.rivals), found.reason, found.score.weight_bits,
                    contributions_of(found.score), self._engine.model.hash, OPEN, moment, 1, 0,
                )
            )  # fmt: skip

    def write(self, session: Session) -> None:
        """COPY everything, in the session's transaction."""
        driver = session.connection().connection.driver_connection
        if not isinstance(driver, psycopg.Connection):
            msg = "rows are copied over psycopg"
            raise TypeError(msg)
        with driver.cursor() as cursor:
            for table, columns in TABLES.items():
                if self.tables[table]:
                    _copy(cursor, table, columns, self.tables[table])
        joined = {person: times for person, times in self.joined.items() if times}
        if joined:
            session.execute(REVISE, {"persons": list(joined), "times": list(joined.values())})


def _copy(
    cursor: "psycopg.Cursor[Any]", table: str, columns: Mapping[str, str], rows: Sequence[tuple[Any, ...]]
) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    with cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)
