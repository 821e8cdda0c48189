"""Writing an export: a page of records and the cursor behind it in one commit, so that it is resumed after anything.

A record that can't be opened or written is left out and named.
"""

import json
import time
import zlib
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.app import Renhice
from registry.bulk.export.models import COMPLETED, FAILED, PROCESSING, Export, ExportFault, ExportPart
from registry.bulk.export.service import end, give_up
from registry.bulk.transfers import LEASE, lend
from registry.database import now
from registry.fhir.patient_writing import own_record
from registry.fhir.shaping import part_of
from registry.identity.records import Changes, OwnRecord, count_own, list_own_page
from registry.sealing import Sealer
from registry.telemetry import logger

PAGE = 500
COMPRESSION = 6
UNREADABLE, UNWRITABLE = "record-unreadable", "record-unwritable"
MOST_LEFT_OUT = 1000
"""Beyond so many it is not the records that are at fault, and what is left would be no export."""

_log = logger(__name__)


def take_due(session: Session) -> UUID | None:
    """An export to go on with, lent; None when there is none."""
    taken = lend(session, Export, give_up)
    return taken.id if taken else None


def write(parts: Renhice, export_id: UUID, seconds: float = float("inf"), page: int = PAGE) -> bool:
    """Go on with an export for so long; True when it is done with. Two at once follow one another, page by page."""
    deadline = time.monotonic() + seconds
    while True:
        with parts.database.unit_of_work() as session:
            if _step(session, parts.sealer, export_id, page):
                return True
        if time.monotonic() > deadline:
            _give_back(parts, export_id)
            return False


def part_context(number: int) -> str:
    """What binds a part's sealed bytes to their place."""
    return f"export-part:{number}"


def _step(session: Session, sealer: Sealer, export_id: UUID, page: int) -> bool:
    found = session.scalars(select(Export).where(Export.id == export_id).with_for_update()).one()
    if found.status != PROCESSING:
        return True
    if found.total is None:
        found.total = count_own(session, found.establishment_id, found.created_at)
    read = list_own_page(session, sealer, found.establishment_id, Changes(found.since, found.created_at),
                         after=found.position, size=page)  # fmt: skip
    lines, unwritable = _written(found, read.records)
    _leave_out(session, found, {UNREADABLE: read.unreadable, UNWRITABLE: unwritable})
    if found.left_out > MOST_LEFT_OUT:
        end(session, found, FAILED, "sealed-data-altered")
        return True
    _add_part(session, sealer, found, lines)
    found.seen, found.attempts = found.seen + read.seen, 0
    found.position, found.changed_at, found.leased_until = read.last or found.position, now(), now() + LEASE
    if read.seen == 0:
        found.status = COMPLETED
    return read.seen == 0


def _written(found: Export, records: Sequence[OwnRecord]) -> tuple[list[bytes], list[UUID]]:
    """A line for each record, and the records no line could be made of."""
    wanted = found.elements.split(",") if found.elements else None
    lines, failed = list[bytes](), list[UUID]()
    for one in records:
        try:
            lines.append(_line(one, wanted))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the records behind it are wanted
            _log.error("record not exported", error_type=type(error).__name__)
            failed.append(one.member.record_id)
    return lines, failed


def _line(one: OwnRecord, wanted: list[str] | None) -> bytes:
    patient = own_record(one.member, str(one.person_id))
    shown = part_of(patient, wanted) if wanted else patient
    return f"{json.dumps(shown, ensure_ascii=False, separators=(',', ':'))}\n".encode()


def _leave_out(session: Session, found: Export, faults: Mapping[str, Sequence[UUID]]) -> None:
    rows = [ExportFault(export_id=found.id, record_id=key, code=code) for code, keys in faults.items() for key in keys]
    session.add_all(rows)
    found.left_out += len(rows)


def _add_part(session: Session, sealer: Sealer, found: Export, lines: list[bytes]) -> None:
    if not lines:
        return
    query = select(func.count()).select_from(ExportPart).where(ExportPart.export_id == found.id)
    number = session.scalar(query) or 0
    packed = zlib.compress(b"".join(lines), COMPRESSION)
    sealed = sealer.seal(session, found.id, packed, part_context(number))
    session.add(ExportPart(export_id=found.id, number=number, lines=len(lines), sealed=sealed))
    found.written += len(lines)


def _give_back(parts: Renhice, export_id: UUID) -> None:
    with parts.database.unit_of_work() as session:
        found = session.scalars(select(Export).where(Export.id == export_id).with_for_update()).one()
        found.leased_until = None
