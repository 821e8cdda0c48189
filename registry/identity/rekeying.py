"""Blocking tokens under the rules of a new version of the engine, without a moment in which records can't be found.

The new version writes its tokens beside those the running one searches by; when every record has both, one transaction
puts the new rules in force, and from then on only the new version registers and searches. The former tokens are dropped
when nobody wants to go back.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from matching.blocking import blocking_keys
from matching.key_scheme import key_scheme
from matching.normalise import normalise
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import Database, now
from registry.errors import Conflict
from registry.identity import tokens
from registry.identity.candidates import SWITCHING, scheme_in_force
from registry.identity.contents import from_bytes, seal_context
from registry.identity.engine import blind_keys
from registry.identity.models import BlockingScheme, SourceRecord, SourceRecordVersion
from registry.identity.records import list_versions
from registry.sealing import DataKey, Sealer, SealError

BATCH = 500
PAGES = 1000
SIZE = text("SELECT pg_relation_size('blocking_tokens') / current_setting('block_size')::int")
DROP = text("""
WITH removed AS (
  DELETE FROM blocking_tokens
  WHERE ctid >= CAST(:begin AS tid) AND ctid < CAST(:end AS tid) AND scheme <> :scheme RETURNING 1
) SELECT count(*) FROM removed
""")
"""Gone through as the table lies on the disk: it is found by token only."""

PENDING = or_(SourceRecord.scheme < key_scheme(), SourceRecord.scheme > key_scheme())
"""Two ranges of an index: most records have this version's scheme."""


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """One batch: how many records have tokens of this version now, and why each of the others can't be opened."""

    done: int
    unreadable: Mapping[UUID, str]


def count_pending(session: Session) -> int:
    """Records without tokens of this version."""
    return session.scalar(select(func.count()).select_from(SourceRecord).where(PENDING)) or 0


def write_tokens(database: Database, sealer: Sealer, batch: int = BATCH) -> Iterator[Rekeyed]:
    """Give every record this version's tokens beside the former ones, a batch a transaction: what was done stays done.

    A run that ends half-way is taken up by the next; several at once share the work. A record whose bytes can't be
    opened is left as it is and reported; one whose data key was destroyed has nothing left to be found by.
    """
    unreadable: set[UUID] = set()
    while True:
        with database.unit_of_work() as session:
            rekeyed = _rekey_some(session, sealer, unreadable, batch)
        if not rekeyed.done and not rekeyed.unreadable:
            return
        unreadable.update(rekeyed.unreadable)
        yield rekeyed


def put_in_force(session: Session, sealer: Sealer, event: Event, *, without_unreadable: bool = False) -> bool:
    """Let the index go by this version's rules; False when it does already.

    Waits for the registrations under way and lets none in; those the former version took meanwhile get their tokens
    here. Raises Conflict where there are too many to let everybody wait, or a record can't be opened: nobody finds it
    afterwards, so that takes `without_unreadable`.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:switching)"), {"switching": SWITCHING})
    former = scheme_in_force(session)
    if former == key_scheme():
        return False
    left = len(_rekey_some(session, sealer, set(), BATCH).unreadable)
    if count_pending(session) > left:
        raise Conflict("Records are still without tokens of this version.", code="index-not-rekeyed", hint="Try again.")
    if left and not without_unreadable:
        raise Conflict(f"{left} records can't be opened.", code="index-not-rekeyed", hint="Is every master key here?")
    moment = now()
    session.execute(update(BlockingScheme).where(BlockingScheme.ended_at.is_(None)).values(ended_at=moment))
    session.execute(insert(BlockingScheme).values(scheme=key_scheme(), begun_at=moment))
    schemes = {"former": former or 0, "scheme": key_scheme()}
    record(session, Event(action=event.action, actor_role=event.actor_role, detail={**event.detail, **schemes}))
    return True


def drop_former(database: Database, pages: int = PAGES) -> Iterator[int]:
    """Remove the tokens of other rules than those in force, some pages a transaction; yields how many were removed.

    Raises Conflict while this version's rules are not in force.
    """
    for page in count(0, pages):
        with database.unit_of_work() as session:
            if scheme_in_force(session) != key_scheme():
                raise Conflict("The rules of this version are not in force.", code="index-of-another-version")
            if page >= session.scalars(SIZE).one():
                return
            span = {"begin": f"({page},0)", "end": f"({page + pages},0)", "scheme": key_scheme()}
            removed = session.scalars(DROP, span).one()
        yield removed


def _rekey_some(session: Session, sealer: Sealer, skipped: set[UUID], batch: int) -> Rekeyed:
    rows = session.execute(
        select(SourceRecord.id, SourceRecord.version, SourceRecordVersion.sealed, DataKey)
        .join(
            SourceRecordVersion,
            (SourceRecordVersion.source_record_id == SourceRecord.id)
            & (SourceRecordVersion.version == SourceRecord.version),
        )
        .outerjoin(DataKey, DataKey.owner_id == SourceRecord.id)
        .where(PENDING, SourceRecord.id.not_in(skipped))
        .limit(batch)
        .with_for_update(of=SourceRecord, skip_locked=True)
    ).all()
    unreadable: dict[UUID, str] = {}
    for row in rows:
        try:
            if row.DataKey is not None:
                _rekey(session, sealer, row)
        except SealError as error:
            unreadable[row.id] = str(error)
    done = [row.id for row in rows if row.id not in unreadable]
    session.execute(update(SourceRecord).where(SourceRecord.id.in_(done)).values(scheme=key_scheme()))
    return Rekeyed(len(done), unreadable)


def _rekey(session: Session, sealer: Sealer, row: Row[*tuple[Any, ...]]) -> None:
    """Write a record's tokens; those of a version that the former rules replaced after it was rekeyed are taken out."""
    content = from_bytes(sealer.unseal(row.DataKey, row.sealed, seal_context(row.version)))
    if row.version > 1:
        with suppress(SealError):
            for said in list_versions(session, sealer, row.id)[:-1]:
                tokens.take_out(session, row.id, blind_keys(sealer, blocking_keys(said)))
    tokens.write(session, row.id, blind_keys(sealer, blocking_keys(normalise(content.demographics))))
