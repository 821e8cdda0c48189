"""Asking for an export, looking how far it is, calling it off, and letting it expire."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from registry.access import Caller
from registry.audit.event import Event
from registry.audit.service import record
from registry.bulk.export.models import (
    CANCELLED,
    COMPLETED,
    EXPIRED,
    FAILED,
    PROCESSING,
    Export,
    ExportFault,
    ExportPart,
)
from registry.bulk.transfers import GIVEN_UP, find_of, let_go, list_of
from registry.database import new_id, now, take_turns
from registry.errors import NotFound, TooManyRequests

KEPT = timedelta(hours=24)
"""How long the files of a finished export can be fetched."""

SETTLED = timedelta(seconds=60)
"""Longer than any registration is under way: what was received until so long ago can be read by everybody."""

OVER = frozenset({CANCELLED, EXPIRED})
MOST_AT_ONCE, MOST_KEPT = 2, 10
BUSY_SECONDS, FULL_SECONDS = 60, 3600
PARTS_PER_FILE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an export shall hold: records that changed since a moment (None: all), and of each these elements."""

    request: str
    since: datetime | None = None
    elements: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """One file of a finished export: its number, and how many resources it holds."""

    number: int
    count: int


def ask(session: Session, caller: Caller, wanted: Wanted) -> Export:
    """Ask for an export; raises TooManyRequests beyond 2 under way or 10 kept of an establishment."""
    take_turns(session, b"exports" + caller.establishment_id.bytes)
    mine = select(func.count()).select_from(Export).where(Export.establishment_id == caller.establishment_id)
    if (session.scalar(mine.where(Export.status == PROCESSING)) or 0) >= MOST_AT_ONCE:
        raise _too_many(f"An establishment has at most {MOST_AT_ONCE} exports under way.", BUSY_SECONDS)
    if (session.scalar(mine.where(Export.status.in_([PROCESSING, COMPLETED]))) or 0) >= MOST_KEPT:
        raise _too_many(f"An establishment has at most {MOST_KEPT} exports; delete those it fetched.", FULL_SECONDS)
    made = Export(
        id=new_id(),
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        token_id=caller.token_id,
        request=wanted.request,
        since=wanted.since,
        elements=wanted.elements,
    )
    session.add(made)
    session.flush()
    account(session, caller, made, "requested")
    return made


def _too_many(message: str, seconds: int) -> TooManyRequests:
    error = TooManyRequests(message)
    error.retry_after = seconds
    return error


def get_own(session: Session, caller: Caller, export_id: UUID, *, hold: bool = False) -> Export:
    """An export of the caller's establishment that is not over; raises NotFound, also for another's."""
    found = get_export(session, [caller.establishment_id], export_id, hold=hold)
    if found.status in OVER or (found.status == COMPLETED and expires_at(found) < now()):
        raise NotFound("There is no such export.", code="unknown-export")
    return found


def get_export(session: Session, places: Collection[UUID], export_id: UUID, *, hold: bool = False) -> Export:
    """An export of one of these establishments, over or not; raises NotFound, also for another's."""
    found = find_of(session, Export, places, export_id, hold=hold)
    if found is None:
        raise NotFound("There is no such export.", code="unknown-export")
    return found


def list_exports(session: Session, establishment_id: UUID) -> Sequence[Export]:
    """An establishment's exports, newest first, at most 100."""
    return list_of(session, Export, establishment_id)


def list_files(session: Session, found: Export) -> Sequence[File]:
    """The files of an export, in order."""
    number = (ExportPart.number // PARTS_PER_FILE).label("file")
    query = select(number, func.sum(ExportPart.lines)).where(ExportPart.export_id == found.id)
    return [File(one, count) for one, count in session.execute(query.group_by("file").order_by("file"))]


def list_faults(session: Session, found: Export) -> Sequence[ExportFault]:
    """The records it could not hold, in order of their ids."""
    query = select(ExportFault).where(ExportFault.export_id == found.id)
    return session.scalars(query.order_by(ExportFault.record_id)).all()


def cancel(session: Session, caller: Caller, export_id: UUID) -> Export:
    """Call an export off, or delete its files before they expire; raises NotFound."""
    found = get_own(session, caller, export_id, hold=True)
    if call_off(session, found):
        account(session, caller, found, "cancelled")
    return found


def call_off(session: Session, found: Export) -> bool:
    """End it as called off, with its files; False when it is over already."""
    if found.status in OVER:
        return False
    end(session, found, CANCELLED)
    return True


def end(session: Session, found: Export, status: str, error: str | None = None) -> None:
    """Nothing of its files is kept, and their data key is destroyed."""
    session.execute(delete(ExportFault).where(ExportFault.export_id == found.id))
    let_go(session, found, delete(ExportPart).where(ExportPart.export_id == found.id), status, error)


def give_up(session: Session, found: Export) -> None:
    """It failed too often: nothing of it is kept, and its establishment asks for another."""
    end(session, found, FAILED, GIVEN_UP)


def expires_at(found: Export) -> datetime:
    """When the files of a finished export go."""
    return found.changed_at + KEPT


def read_as_of(found: Export) -> datetime:
    """The moment up to which everything that changed is in the export, and from which the next one must ask."""
    return found.created_at - SETTLED


def purge_exports(session: Session) -> None:
    """Let go of the files of exports that finished a day ago."""
    over = select(Export).where(Export.status == COMPLETED, Export.changed_at < now() - KEPT)
    for found in session.scalars(over.with_for_update(skip_locked=True)).all():
        end(session, found, EXPIRED)


def account(session: Session, caller: Caller, found: Export, verb: str, **detail: str | int) -> None:
    """What the log says of an export: that it was asked for, called off, or a file of it fetched."""
    event = Event(
        action=f"bulk:export:{verb}",
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        token_id=caller.token_id,
        actor_role="record-system",
        detail={"requested": str(found.id), **detail},
    )
    record(session, event)
