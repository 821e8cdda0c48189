"""Blocking tokens under the rules of a new version of the engine, without a moment in which records can't be found.

The new version writes its tokens beside those the running one searches by; when every record has both, one transaction
puts the new rules in force, and from then on only the new version registers and searches. The former tokens are dropped
when nobody wants to go back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, delete, func, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from matching.blocking import blocking_keys
from matching.key_scheme import key_scheme
from matching.normalise import normalise
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import Database, now
from registry.errors import Conflict
from registry.identity.candidates import SWITCHING, scheme_in_force
from registry.identity.contents import from_bytes, seal_context
from registry.identity.engine import blind_keys
from registry.identity.models import BlockingScheme, BlockingToken, SourceRecord, SourceRecordVersion
from registry.sealing import DataKey, Sealer, SealError

BATCH = 500
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


def drop_former(database: Database, batch: int = BATCH) -> Iterator[int]:
    """Remove the tokens of other rules than those in force, a batch a transaction; yields how many records were seen.

    Raises Conflict while this version's rules are not in force.
    """
    after: UUID | None = None
    while True:
        with database.unit_of_work() as session:
            if scheme_in_force(session) != key_scheme():
                raise Conflict("The rules of this version are not in force.", code="index-of-another-version")
            seen = _next_records(session, after, batch)
            if not seen:
                return
            former = BlockingToken.scheme != key_scheme()
            session.execute(delete(BlockingToken).where(BlockingToken.source_record_id.in_(seen), former))
        after = seen[-1]
        yield len(seen)


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
    tokens: list[dict[str, object]] = []
    unreadable: dict[UUID, str] = {}
    for row in rows:
        try:
            tokens += [
                {"token": token, "source_record_id": row.id, "scheme": key_scheme()} for token in _tokens(sealer, row)
            ]
        except SealError as error:
            unreadable[row.id] = str(error)
    _write(session, tokens, [row.id for row in rows if row.id not in unreadable])
    return Rekeyed(len(rows) - len(unreadable), unreadable)


def _tokens(sealer: Sealer, row: Row[*tuple[Any, ...]]) -> list[bytes]:
    if row.DataKey is None:
        return []
    content = from_bytes(sealer.unseal(row.DataKey, row.sealed, seal_context(row.version)))
    return blind_keys(sealer, blocking_keys(normalise(content.demographics)))


def _write(session: Session, tokens: Sequence[Mapping[str, object]], records: Sequence[UUID]) -> None:
    if tokens:
        statement = upsert(BlockingToken)
        key = [BlockingToken.token, BlockingToken.source_record_id]
        session.execute(
            statement.on_conflict_do_update(index_elements=key, set_={"scheme": statement.excluded.scheme}), tokens
        )
    session.execute(update(SourceRecord).where(SourceRecord.id.in_(records)).values(scheme=key_scheme()))


def _next_records(session: Session, after: UUID | None, batch: int) -> Sequence[UUID]:
    query = select(SourceRecord.id).order_by(SourceRecord.id).limit(batch)
    return session.scalars(query if after is None else query.where(SourceRecord.id > after)).all()
