"""Uploading a file in parts, looking how far it is, and calling it off."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from registry.access import Caller
from registry.audit.event import Event
from registry.audit.service import record
from registry.bulk.models import (
    CANCELLED,
    COMPLETED,
    FAILED,
    PROCESSING,
    UPLOADING,
    Import,
    ImportPart,
    ImportRefusal,
)
from registry.bulk.transfers import GIVEN_UP, find_of, let_go, list_of
from registry.database import new_id, now, take_turns
from registry.errors import Conflict, InvalidInput, NotFound, TooLarge, TooManyRequests
from registry.sealing import Sealer

FORMATS = ("ndjson", "csv")
MOST_BYTES = 1 << 30
MOST_PART_BYTES = 1 << 20
MOST_PARTS = 20_000
"""Each part is read back by itself: a file in parts of a byte would keep a worker for hours."""

MOST_OPEN = 5
UPLOAD_LASTS = timedelta(days=7)
REFUSALS_LAST = timedelta(days=90)
"""How long after its end it can be asked which lines of a file were refused."""

MOST_REFUSALS = 10_000
"""Refused lines of a file that are kept; those behind them are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A file that will be sent: its format, its size in bytes and its SHA-256."""

    format: str
    size: int
    sha256: str


def announce(session: Session, caller: Caller, announced: Announced) -> tuple[Import, bool]:
    """Begin an upload; one of the same file that has not ended, or was given up, is taken up again (False).

    Raises TooLarge above 1 GiB, TooManyRequests beyond 5 files of an establishment that are kept: one that was given up
    counts until it is announced again or called off.
    """
    if announced.size > MOST_BYTES:
        raise TooLarge(f"A file has at most {MOST_BYTES} bytes; send it in several.")
    take_turns(session, b"imports" + caller.establishment_id.bytes)  # two at once would both be new
    own = select(Import).where(Import.establishment_id == caller.establishment_id)
    kept = session.scalars(own.where(or_(Import.status.in_([UPLOADING, PROCESSING]), Import.error == GIVEN_UP))).all()
    key = (announced.format, announced.size, announced.sha256)
    same = next((one for one in kept if (one.format, one.size, one.sha256) == key), None)
    if same is not None and _take_up(session, caller, same):
        return same, False
    if len(kept) >= MOST_OPEN:
        raise TooManyRequests(
            f"An establishment has at most {MOST_OPEN} imports at once.",
            hint="One that was given up counts as well: announce its file again, or call it off.",
        )
    made = _made(caller, announced)
    session.add(made)
    session.flush()
    _account(session, caller, made, "announced")
    return made, True


def _made(caller: Caller, announced: Announced) -> Import:
    return Import(
        id=new_id(),
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        token_id=caller.token_id,
        format=announced.format,
        size=announced.size,
        sha256=announced.sha256,
        received=0,
        status=UPLOADING,
        position=0,
        line=0,
        counts={},
        created_at=now(),
        changed_at=now(),
    )


def _take_up(session: Session, caller: Caller, found: Import) -> bool:
    """Go on with a file where it is; False when it ended meanwhile."""
    session.refresh(found, with_for_update=True)
    if found.error == GIVEN_UP:
        restart(session, found)
        _account(session, caller, found, "restarted")
    return found.status in {UPLOADING, PROCESSING}


def append(session: Session, sealer: Sealer, caller: Caller, import_id: UUID, offset: int, content: bytes) -> Import:
    """Take the next part; with the last one the file is processed. Raises Conflict where it is not the next."""
    found = get_own(session, caller, import_id, hold=True)
    if found.status != UPLOADING or offset != found.received:
        raise Conflict(
            "This is not the part that comes next.",
            code="offset-mismatch",
            hint=f"The registry has {found.received} bytes; go on there.",
        )
    if not content or len(content) > MOST_PART_BYTES or found.received + len(content) > found.size:
        raise InvalidInput(
            f"A part has 1 to {MOST_PART_BYTES} bytes, all of them no more than announced.", code="part-size"
        )
    parts = select(func.count()).select_from(ImportPart).where(ImportPart.import_id == found.id)
    if (session.scalar(parts) or 0) >= MOST_PARTS:
        raise InvalidInput(f"A file has at most {MOST_PARTS} parts; announce it anew.", code="too-many-parts")
    sealed = sealer.seal(session, found.id, content, part_context(offset))
    session.add(ImportPart(import_id=found.id, offset=offset, length=len(content), sealed=sealed))
    found.received += len(content)
    found.changed_at = now()
    if found.received == found.size:
        found.status = PROCESSING
        _account(session, caller, found, "received")
    session.flush()
    return found


def part_context(offset: int) -> str:
    """What binds a part's sealed bytes to their place."""
    return f"import-part:{offset}"


def get_own(session: Session, caller: Caller, import_id: UUID, *, hold: bool = False) -> Import:
    """An import of the caller's establishment; raises NotFound, also for another's."""
    return get_import(session, [caller.establishment_id], import_id, hold=hold)


def get_import(session: Session, places: Collection[UUID], import_id: UUID, *, hold: bool = False) -> Import:
    """An import of one of these establishments; raises NotFound, also for another's."""
    found = find_of(session, Import, places, import_id, hold=hold)
    if found is None:
        raise NotFound("There is no such import.", code="unknown-import")
    return found


def list_own(session: Session, caller: Caller) -> Sequence[Import]:
    """The establishment's imports, newest first, at most 100."""
    return list_imports(session, caller.establishment_id)


def list_imports(session: Session, establishment_id: UUID) -> Sequence[Import]:
    """An establishment's imports, newest first, at most 100."""
    return list_of(session, Import, establishment_id)


def cancel(session: Session, caller: Caller, import_id: UUID) -> Import:
    """Call an import off: what is registered stays, the rest of the file is deleted."""
    found = get_own(session, caller, import_id, hold=True)
    if call_off(session, found):
        _account(session, caller, found, "cancelled")
    return found


def call_off(session: Session, found: Import) -> bool:
    """End it as called off; False when nothing of its file is kept any more."""
    if not is_kept(found):
        return False
    end(session, found, CANCELLED)
    return True


def is_kept(found: Import) -> bool:
    """Whether its file is still there: under way, or given up less than a week ago."""
    return found.status in {UPLOADING, PROCESSING} or found.error == GIVEN_UP


def give_up(session: Session, found: Import) -> None:
    """It failed too often: the file is kept for a week, and announcing it again goes on where it stopped."""
    found.status, found.error, found.leased_until, found.changed_at = FAILED, GIVEN_UP, None, now()
    session.flush()


def restart(session: Session, found: Import) -> None:
    """Go on where one that was given up stopped; raises Conflict for any other, whose file may be gone."""
    if found.error != GIVEN_UP:
        raise Conflict("This import was not given up.", code="not-given-up", hint=f"It is {found.status}.")
    found.status, found.error, found.attempts, found.changed_at = PROCESSING, None, 0, now()
    session.flush()


def give_back(session: Session, import_id: UUID, position: int) -> None:
    """Let another turn follow at once, unless somebody else went on with it meanwhile."""
    ours = update(Import).where(Import.id == import_id, Import.position == position, Import.status == PROCESSING)
    session.execute(ours.values(leased_until=None))


def list_refusals(session: Session, found: Import) -> Sequence[ImportRefusal]:
    """The refused lines, in order, the first 10,000."""
    query = select(ImportRefusal).where(ImportRefusal.import_id == found.id)
    return session.scalars(query.order_by(ImportRefusal.line).limit(MOST_REFUSALS)).all()


def count_refusals(found: Import) -> int:
    """How many lines were refused."""
    return int(found.counts.get("refused", 0))


def tells_refusals(found: Import) -> bool:
    """Whether lines were refused, and which can still be asked."""
    return count_refusals(found) > 0 and (is_kept(found) or found.changed_at >= now() - REFUSALS_LAST)


def end(session: Session, found: Import, status: str, error: str | None = None) -> None:
    """The file is done with: nothing of it is kept, and its data key is destroyed."""
    let_go(session, found, delete(ImportPart).where(ImportPart.import_id == found.id), status, error)


def purge_uploads(session: Session) -> None:
    """Call off what nobody went on with for a week: uploads, and what was given up."""
    waiting = or_(Import.status == UPLOADING, Import.error == GIVEN_UP)
    over = select(Import).where(waiting, Import.changed_at < now() - UPLOAD_LASTS)
    for found in session.scalars(over.with_for_update(skip_locked=True)).all():
        end(session, found, CANCELLED, "abandoned")


def purge_refusals(session: Session, limit: int) -> int:
    """Forget which lines were refused of files that ended long ago, so many at once; returns how many."""
    over = select(Import.id).where(Import.status.in_([COMPLETED, FAILED, CANCELLED]))
    over = over.where(Import.changed_at < now() - REFUSALS_LAST, Import.error.is_distinct_from(GIVEN_UP))
    rows = select(ImportRefusal.import_id, ImportRefusal.line).where(ImportRefusal.import_id.in_(over)).limit(limit)
    key = tuple_(ImportRefusal.import_id, ImportRefusal.line)
    gone = delete(ImportRefusal).where(key.in_(rows)).returning(ImportRefusal.line)
    return len(session.scalars(gone, execution_options={"synchronize_session": False}).all())


def _account(session: Session, caller: Caller, found: Import, verb: str) -> None:
    event = Event(
        action=f"bulk:import:{verb}",
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        token_id=caller.token_id,
        actor_role="record-system",
        detail={"import": str(found.id), "format": found.format, "size": found.size},
    )
    record(session, event)
