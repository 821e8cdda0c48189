"""A placed chunk as rows, written by COPY: the same rows that registering one by one writes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from registry.identity.batch import copying as as_
from registry.identity.batch.preparing import OWN, Prepared, Tokens
from registry.identity.engine import Engine
from registry.identity.events import EventKind
from registry.identity.membership import ENGINE, contributions_of
from registry.identity.models import OPEN
from registry.identity.placement import Placement
from registry.identity.registration import LINKED, RECEIVED
from registry.telemetry import current_request_id

PLACED: Mapping[str, Sequence[str]] = {
    "persons": ("id", "status", "revision", "created_at"),
    "memberships": ("source_record_id", "person_id", "since"),
    "membership_events": (
        "kind", "person_id", "source_record_id", "at", "actor", "reason", "model_hash", "weight", "contributions",
    ),
    "possible_matches": (
        "id", "source_record_id", "version", "rivals", "reason", "weight", "contributions", "model_hash", "status",
        "created_at", "revision", "undecided",
    ),
    "audit_events": (
        "id", "recorded_at", "request_id", "action", "outcome", "person_id", "source_record_id", "establishment_id",
        "client_id", "token_id", "detail",
    ),
    "outbox": ("id", "topic", "key", "payload", "attempts", "available_at"),
}  # fmt: skip
"""The columns written of where it belongs."""
TABLES: Mapping[str, Sequence[str]] = {**OWN, **PLACED}

REVISE = text("""
UPDATE persons SET revision = revision + joined.times
FROM unnest(CAST(:persons AS uuid[]), CAST(:times AS int[])) AS joined (id, times) WHERE persons.id = joined.id
""")
AT_ONCE = 16
"""Records that are placed while the database takes what was sent before them."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A record of the chunk and where it goes; `is_new` when the person is made for it."""

    one: Prepared
    record_id: UUID
    placement: Placement
    person_id: UUID
    is_new: bool


class Rows:
    """What is to be written, by table."""

    def __init__(self, engine: Engine, moment: datetime) -> None:
        self.tables: dict[str, list[bytes]] = defaultdict(list)
        self.joined: Counter[UUID] = Counter()
        self._moment = at = as_.moment(moment)
        request = as_.text(current_request_id())
        self._done = {act: at + request + as_.text(act) + as_.text("success") for act in (RECEIVED, LINKED)}
        self._model = as_.text(engine.model.hash)

    def write_own(self, session: Session, run: Sequence[Prepared], tokens: Tokens) -> Iterator[Prepared]:
        """COPY what the records say, handing some on whenever rows are on their way: the database is busy meanwhile."""
        sending = self._send_own(as_.cursor_of(session), run, tokens)
        for start in range(0, len(run), AT_ONCE):
            next(sending, None)
            yield from run[start : start + AT_ONCE]
        for _ in sending:
            pass

    def _send_own(self, cursor: as_.Cursor, run: Sequence[Prepared], tokens: Tokens) -> Iterator[None]:
        at = self._moment
        records = b"".join([one.written.record + (at if one.due else as_.NULL) + at + at for one in run])
        yield from _send(cursor, "source_records", [records])
        yield from _send(cursor, "data_keys", [b"".join([one.written.key for one in run])])
        yield from _send(cursor, "source_record_versions", [b"".join([one.written.version + at for one in run])])
        yield from _send(cursor, "blocking_tokens", tokens.rows)

    def add(self, placed: Placed) -> None:
        """All rows of where one new record belongs."""
        one, person_id, decision = placed.one, placed.person_id, placed.placement.decision
        record, person = as_.uuid(placed.record_id), as_.uuid(person_id)
        if placed.is_new:
            self.tables["persons"].append(as_.row(4, person, _ACTIVE, _ONE, self._moment))
        else:
            self.joined[person_id] += 1
        self.tables["memberships"].append(as_.row(3, record, person, self._moment))
        self._add_decision(placed, record, person)
        named = str(placed.record_id)
        payload = as_.json_text(f'{{"person_id": "{person_id}", "source_record_id": "{named}"}}'.encode())
        message = as_.text(f"{named}:1") + payload + _ZERO + self._moment
        for topic in (_RECEIVED, _LINKED) if decision == "link" else (_RECEIVED,):
            self.tables["outbox"].append(as_.row(6, as_.new_uuid(), topic, message))
        self._account(one, (RECEIVED, LINKED), person + record, decision, 1)

    def account(self, one: Prepared, record_id: UUID, person_id: UUID, decision: str, version: int) -> None:
        """The audit row of a record that was received and left as it was."""
        self._account(one, (RECEIVED,), as_.uuid(person_id) + as_.uuid(record_id), decision, version)

    def _account(self, one: Prepared, actions: Iterable[str], about: bytes, decision: str, version: int) -> None:
        said = about + one.sender + _detail(decision, version)
        for action in actions:
            self.tables["audit_events"].append(as_.row(11, as_.new_uuid(), self._done[action], said))

    def _add_decision(self, placed: Placed, record: bytes, person: bytes) -> None:
        found, decision = placed.placement.resolution, placed.placement.decision
        reason, explained = as_.text(found.reason), as_.NULL + as_.NULL
        if found.score is not None and decision in {"link", "review"}:
            explained = as_.real(found.score.weight_bits) + as_.document(contributions_of(found.score))
        event = (self._moment, _ENGINE, reason, self._model, explained if decision == "link" else as_.NULL + as_.NULL)
        self.tables["membership_events"].append(as_.row(9, _KIND, person, record, *event))
        if decision == "review" and found.score is not None:
            case = (as_.uuids(sorted(placed.placement.rivals)), reason, explained, self._model, _OPEN, self._moment)
            self.tables["possible_matches"].append(as_.row(12, as_.new_uuid(), record, _ONE, *case, _ONE, _ZERO))

    def write(self, session: Session) -> None:
        """COPY all that was added, in the session's transaction."""
        cursor = as_.cursor_of(session)
        for table in PLACED:
            if rows := self.tables[table]:
                for _ in _send(cursor, table, [b"".join(rows)]):
                    pass
        joined = {person: times for person, times in self.joined.items() if times}
        if joined:
            session.execute(REVISE, {"persons": list(joined), "times": list(joined.values())})


def _send(cursor: as_.Cursor, table: str, shares: Iterable[bytes]) -> Iterator[None]:
    """COPY rows share by share; whoever goes on behind the last one waits until the database has them."""
    with as_.copying(cursor, table, TABLES[table]) as write:
        for share in shares:
            write(share)
            yield


@lru_cache(maxsize=1024)
def _detail(decision: str, version: int) -> bytes:
    return as_.document({"decision": decision, "version": version})


_ZERO, _ONE = as_.integer(0), as_.integer(1)
_ACTIVE, _OPEN, _ENGINE, _KIND = map(as_.text, ("active", OPEN, ENGINE, EventKind.LINKED.value))
_RECEIVED, _LINKED = as_.text(RECEIVED), as_.text(LINKED)
