"""Registering a chunk: alone for its moment, searched at once, placed one after another, written by COPY."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from registry.database import new_id, now
from registry.errors import DomainError, Unavailable
from registry.identity.batch import arrays
from registry.identity.batch.neighbours import Memory, find_neighbours
from registry.identity.batch.preparing import Batch, Prepared, Tokens, gather_tokens
from registry.identity.batch.writing import Placed, Rows
from registry.identity.candidates import SWITCHING, lock_persons
from registry.identity.engine import Engine
from registry.identity.models import Membership, SourceRecord
from registry.identity.placement import place
from registry.identity.registration import STALE, Outcome, register_source_record
from registry.telemetry import REGISTRATIONS

ALONE = text("SELECT pg_advisory_xact_lock(:key)")
PLANNED_ANEW = text("SET LOCAL plan_cache_mode = force_custom_plan")
"""For each chunk: a file fills tables that were empty when the first was planned for."""

CONFIRM = text("""
UPDATE source_records SET said_at = again.said_at
FROM unnest(CAST(:records AS uuid[]), CAST(:moments AS timestamptz[])) AS again (id, said_at)
WHERE source_records.id = again.id
""")

KEPT = (
    select(
        SourceRecord.establishment_id,
        SourceRecord.local_token,
        SourceRecord.id,
        SourceRecord.version,
        SourceRecord.content_token,
        SourceRecord.replaced_by,
        SourceRecord.said_at,
        SourceRecord.received_at,
        Membership.person_id,
    )
    .join(Membership, Membership.source_record_id == SourceRecord.id)
    .where(arrays.among_uuids(SourceRecord.establishment_id, "places"))
    .where(arrays.among_octets(SourceRecord.local_token, "tokens"))
)

Key = tuple[UUID, bytes]
"""An establishment and the token of a local number of it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that is here already, under the local number of a prepared one."""

    content_token: bytes
    replaced: bool
    said_at: datetime
    outcome: Outcome


def register_prepared(session: Session, engine: Engine, memory: Memory, batch: Batch) -> list[Outcome | DomainError]:
    """Register a chunk in the caller's transaction; the outcomes, in its order, are those of one after another.

    Nobody else registers meanwhile: everybody who does holds the lock shared that this holds alone, since an advisory
    lock for each of a chunk's thousands of tokens would be more than a server has. What changes a known record, or
    names a mother by her number, goes the online way, in its place; what it may not change is an error in the outcome's
    stead. What was said before what is kept changes nothing (`stale`). Raises Unavailable.
    """
    session.execute(ALONE, {"key": SWITCHING})
    session.execute(PLANNED_ANEW)
    chunk = batch.prepared
    work = _Registering(session, engine, memory, batch, _find_kept(session, chunk), Rows(engine, now()))
    for at, one in enumerate(chunk):
        work.take(at, one)
    work.finish()
    return [work.outcomes[at] for at in range(len(chunk))]


@dataclass(slots=True)
class _Registering:
    """A chunk under way; `run` are records nobody knows, placed together once one comes that must see them."""

    session: Session
    engine: Engine
    memory: Memory
    batch: Batch
    kept: dict[Key, Kept]
    accounts: Rows
    outcomes: dict[int, Outcome | DomainError] = field(default_factory=dict)
    run: dict[int, Prepared] = field(default_factory=dict)
    seen: set[Key] = field(default_factory=set)
    again: dict[UUID, datetime] = field(default_factory=dict)
    """Records of which the same was said again, and when."""

    def take(self, at: int, one: Prepared) -> None:
        """Register the record at that place of the chunk, or let it wait for others."""
        key = (one.establishment_id, one.local_token)
        if key in self.seen:
            self._place()
            _confirm(self.session, self.again)
            self.kept |= _find_kept(self.session, [one])
        self.seen.add(key)
        if key not in self.kept and not one.names_mother:
            self.run[at] = one
        elif key in self.kept and (quick := _leaves_as_it_is(self.engine, one, self.kept[key])) is not None:
            self.outcomes[at] = quick
            self._note(one, quick, self.kept[key].said_at)
        else:
            self._place()
            self.outcomes[at] = _register_alone(self.session, self.engine, one)

    def finish(self) -> None:
        """Write what waits."""
        self._place()
        _confirm(self.session, self.again)
        self.accounts.write(self.session)

    def _place(self) -> None:
        run = list(self.run.values())
        tokens = self.batch.tokens if len(run) == len(self.batch.prepared) else gather_tokens(run)
        placed = _register_new(self.session, self.engine, self.memory, run, tokens)
        self.outcomes.update(zip(self.run, placed, strict=True))
        self.run.clear()

    def _note(self, one: Prepared, quick: Outcome, said_at: datetime) -> None:
        if quick.decision != STALE and one.said_at is not None and one.said_at > said_at:
            self.again[quick.source_record_id] = one.said_at
        self.accounts.account(one, quick.source_record_id, quick.person_id, quick.decision, quick.version)
        REGISTRATIONS.labels(quick.decision).inc()


def _find_kept(session: Session, chunk: Sequence[Prepared]) -> dict[Key, Kept]:
    wanted = {
        "places": arrays.uuids({one.establishment_id.bytes for one in chunk}),
        "tokens": arrays.octets([one.local_token for one in chunk]),
    }
    return {
        (row.establishment_id, bytes(row.local_token)): Kept(
            bytes(row.content_token),
            row.replaced_by is not None,
            row.said_at or row.received_at,
            Outcome(row.id, row.person_id, row.version, row.received_at, "unchanged", created=False),
        )
        for row in session.execute(KEPT, wanted)
    }


def _leaves_as_it_is(engine: Engine, one: Prepared, kept: Kept) -> Outcome | None:
    """The outcome where nothing changes: the same again, or an older word than the one kept; None where it may."""
    if kept.replaced and not engine.unmerge_by_feed:
        return None
    if engine.sealer.blind(f"content:{kept.outcome.source_record_id}", one.said) == kept.content_token:
        return kept.outcome
    said_at = one.said_at
    return replace(kept.outcome, decision=STALE) if said_at is not None and said_at < kept.said_at else None


def _confirm(session: Session, again: dict[UUID, datetime]) -> None:
    """Keep that the same was said again later, as `arrivals.confirm` does."""
    if again:
        session.execute(CONFIRM, {"records": list(again), "moments": list(again.values())})
        again.clear()


def _register_alone(session: Session, engine: Engine, one: Prepared) -> Outcome | DomainError:
    try:
        with session.begin_nested():
            return register_source_record(session, engine, one.registration)
    except Unavailable:
        raise
    except DomainError as error:
        return error


def _register_new(
    session: Session, engine: Engine, memory: Memory, run: Sequence[Prepared], tokens: Tokens
) -> list[Outcome]:
    """Place records nobody knows yet, each against what is kept and against those before it."""
    if not run:
        return []
    session.flush()
    near = find_neighbours(session, engine.sealer, memory, run, tokens)
    held = lock_persons(session, near.revisions) if near.revisions else {}
    if held != near.revisions:
        near = find_neighbours(session, engine.sealer, memory, run, tokens)
    moment = now()
    rows, outcomes = Rows(engine, moment), []
    for one in rows.write_own(session, run, tokens):
        member, record_id = one.member(), one.record_id
        placement = place(engine.model, member, near.around(engine, one))
        person_id = placement.person_id or new_id()
        near.add(one, member, person_id)
        rows.add(Placed(one, record_id, placement, person_id, is_new=placement.person_id is None))
        outcomes.append(Outcome(record_id, person_id, 1, moment, placement.decision, created=True))
        memory.put(one.record, 1, one.normalised)
    rows.write(session)
    for decision, times in Counter(one.decision for one in outcomes).items():
        REGISTRATIONS.labels(decision).inc(times)
    return outcomes
