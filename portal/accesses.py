"""Who read a person's records (Ley 30024): page by page, and the whole as a file."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from portal import present, texts
from portal.views import Access
from registry.app import Renhice
from registry.audit.service import Position, Selection, list_for_person, position_of
from registry.sealing import Sealer

SHOWN = (*texts.READINGS, *texts.DECLARED, *texts.ACTIONS)
REFUSALS_OF = ("consent:access:decided", *texts.DECLARED)
"""A decision that permits is told by the reading that follows it."""

PAGE, BATCH = 50, 500
_BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_HEAD = ("Cuándo", "Quién", "Colegiatura", "Establecimiento", "Qué", "Por qué", "Resultado", "Motivo del rechazo")


@dataclass(frozen=True, slots=True)
class Page:
    """Accesses, newest first; `older` and `newer` are the events the neighbouring pages begin at, None at the ends."""

    accesses: list[Access]
    older: UUID | None = None
    newer: UUID | None = None


def newest(session: Session, sealer: Sealer, selection: Selection, size: int = PAGE) -> Page:
    """The first page."""
    return _page(session, sealer, selection, None, size)


def older_than(session: Session, sealer: Sealer, selection: Selection, event_id: UUID, size: int = PAGE) -> Page:
    """The page that follows an event; accesses that came meanwhile move nothing. The first for an id of no event."""
    return _page(session, sealer, selection, position_of(session, selection, event_id), size)


def newer_than(session: Session, sealer: Sealer, selection: Selection, event_id: UUID, size: int = PAGE) -> Page:
    """The page that precedes an event; the first, full, where less than a page precedes it."""
    position = position_of(session, selection, event_id)
    events = list_for_person(session, selection, after=position, limit=size + 1) if position else []
    if len(events) <= size:
        return newest(session, sealer, selection, size)
    shown = events[1:]
    return Page(present.accesses(session, sealer, shown), older=shown[-1].id, newer=shown[0].id)


def _page(session: Session, sealer: Sealer, selection: Selection, before: Position | None, size: int) -> Page:
    events = list_for_person(session, selection, before=before, limit=size + 1)
    shown = events[:size]
    return Page(
        present.accesses(session, sealer, shown),
        older=shown[-1].id if len(events) > size else None,
        newer=shown[0].id if before and shown else None,
    )


def csv_of(parts: Renhice, selection: Selection) -> Iterator[str]:
    """Every access as CSV with a byte-order mark (Excel), in pieces.

    Each piece is read in a unit of work of its own, so that whoever downloads slowly holds no connection.
    """
    yield _BOM + to_csv([_HEAD])
    before = None
    while True:
        with parts.database.unit_of_work() as session:
            events = list_for_person(session, selection, before=before, limit=BATCH)
            lines = to_csv(map(csv_row, present.accesses(session, parts.sealer, events)))
        if not events:
            return
        yield lines
        before = Position(events[-1].recorded_at, events[-1].id)


def csv_row(access: Access) -> Sequence[str]:
    """An access as the file tells it."""
    return (access.at.isoformat(timespec="seconds"), access.who, access.profession, access.establishment or access.who,
            access.what, access.why, texts.OUTCOMES[access.permitted], access.refusal)  # fmt: skip


def to_csv(rows: Iterable[Sequence[str]]) -> str:
    """Lines of CSV, no cell of which a spreadsheet runs as a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row])
    return out.getvalue()
