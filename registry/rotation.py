"""Rotation of master keys: what each still wraps, moving data keys under the current one, and retiring an old one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from registry.audit.event import Event
from registry.audit.service import record
from registry.database import Database
from registry.errors import Conflict
from registry.sealing import DataKey, RetiredMasterKey, Sealer, SealError

BATCH = 1000
COUNTING_MS = 600_000
"""An operator may wait for a count over every record; a request may not."""


@dataclass(frozen=True, slots=True)
class MasterKeyUse:
    """How many data keys one master key wraps, and whether its file is here; `retired_at` when it was retired."""

    master_key_id: str
    data_keys: int
    present: bool
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """One batch: how many data keys moved under the current master key, and why each of the others can't be opened."""

    done: int
    unreadable: Mapping[UUID, str]


def list_master_keys(session: Session, directory: Path) -> list[MasterKeyUse]:
    """Every master key that has a file in `directory`, wraps a data key or was retired, in order."""
    session.execute(text(f"SET LOCAL statement_timeout = {COUNTING_MS}"))
    counts = select(DataKey.master_key_id, func.count()).group_by(DataKey.master_key_id)
    wraps = dict(session.execute(counts).all())
    retired = {row.id: row.retired_at for row in session.scalars(select(RetiredMasterKey))}
    files = {path.stem for path in directory.glob("master-*.key")}
    return [
        MasterKeyUse(key, wraps.get(key, 0), key in files, retired.get(key))
        for key in sorted(files | wraps.keys() | retired.keys())
    ]


def rewrap(database: Database, sealer: Sealer, event: Event, batch: int = BATCH) -> Iterator[Moved]:
    """Move every data key under the current master key, a batch a transaction: what was done stays done.

    A run that ends half-way is taken up by the next; two at once share the work. A data key that can't be opened is
    left as it is and reported; after a whole batch of them the run ends, for then a master key is missing or another
    bears its name. `event` says who runs it; each batch is audited.
    """
    unreadable: set[UUID] = set()
    while len(unreadable) < batch:
        with database.unit_of_work() as session:
            moved = _rewrap_some(session, sealer, unreadable, batch)
            if moved.done:
                record(session, replace(event, detail={**event.detail, "count": moved.done}))
        if not moved.done and not moved.unreadable:
            return
        unreadable.update(moved.unreadable)
        yield moved


def _rewrap_some(session: Session, sealer: Sealer, skipped: set[UUID], batch: int) -> Moved:
    keys = session.scalars(
        select(DataKey)
        .where(DataKey.master_key_id.in_(_older(session, sealer)), DataKey.owner_id.not_in(skipped))
        .limit(batch)
        .with_for_update(skip_locked=True)
    ).all()
    unreadable = {}
    for key in keys:
        try:
            sealer.rewrap(key)
        except SealError as error:
            unreadable[key.owner_id] = str(error)
    return Moved(len(keys) - len(unreadable), unreadable)


def _older(session: Session, sealer: Sealer) -> list[str]:
    """The master keys still in use but the current one, found by hopping through the index, not by reading it all."""
    hop = text(
        "WITH RECURSIVE used(id) AS ("
        "SELECT min(master_key_id) FROM data_keys UNION ALL "
        "SELECT (SELECT min(master_key_id) FROM data_keys WHERE master_key_id > used.id) FROM used WHERE id IS NOT NULL"
        ") SELECT id FROM used WHERE id IS NOT NULL AND id <> :current"
    )
    return list(session.scalars(hop, {"current": sealer.current_master_key}))


def retire(session: Session, sealer: Sealer, master_key_id: str, event: Event) -> None:
    """Bar a master key for good: from the commit on the database refuses new data keys under it, from every process.

    Raises Conflict for the current key, one in use and one retired before.
    """
    if master_key_id == sealer.current_master_key:
        raise Conflict(f"{master_key_id} is the current master key.", hint="Add another one first: keys add-master.")
    if session.get(RetiredMasterKey, master_key_id) is not None:
        raise Conflict(f"{master_key_id} was retired before.")
    session.execute(text("LOCK TABLE data_keys IN SHARE ROW EXCLUSIVE MODE"))
    if session.scalar(select(DataKey.owner_id).where(DataKey.master_key_id == master_key_id).limit(1)):
        raise Conflict(f"{master_key_id} still wraps data keys.", hint="Move them first: keys rewrap.")
    session.add(RetiredMasterKey(id=master_key_id))
    record(session, replace(event, detail={**event.detail, "master_key": master_key_id}))
