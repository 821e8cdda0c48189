"""Writing an export: a page of records and the cursor behind it in one commit, so that it is resumed after anything."""

import json
import time
import zlib
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.app import Renhice
from registry.bulk.export.models import COMPLETED, FAILED, PROCESSING, Export, ExportPart
from registry.bulk.export.service import end, give_up
from registry.bulk.transfers import LEASE, lend
from registry.database import now
from registry.fhir.patient_writing import own_record
from registry.fhir.shaping import part_of
from registry.fhir.wire import Json
from registry.identity.records import Changes, count_own, list_own_page
from registry.sealing import Sealer, SealError

PAGE = 500
COMPRESSION = 6


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
    try:
        read = list_own_page(session, sealer, found.establishment_id, Changes(found.since, found.created_at),
                             after=found.position, size=page)  # fmt: skip
    except SealError:
        end(session, found, FAILED, "sealed-data-altered")
        return True
    _add_part(session, sealer, found, [own_record(one.member, str(one.person_id)) for one in read.records])
    found.seen, found.attempts = found.seen + read.seen, 0
    found.position, found.changed_at, found.leased_until = read.last or found.position, now(), now() + LEASE
    if read.seen == 0:
        found.status = COMPLETED
    return read.seen == 0


def _add_part(session: Session, sealer: Sealer, found: Export, patients: list[Json]) -> None:
    if not patients:
        return
    query = select(func.count()).select_from(ExportPart).where(ExportPart.export_id == found.id)
    number = session.scalar(query) or 0
    wanted = found.elements.split(",") if found.elements else None
    shown = [part_of(one, wanted) for one in patients] if wanted else patients
    lines = "".join(f"{json.dumps(one, ensure_ascii=False, separators=(',', ':'))}\n" for one in shown)
    packed = zlib.compress(lines.encode(), COMPRESSION)
    sealed = sealer.seal(session, found.id, packed, part_context(number))
    session.add(ExportPart(export_id=found.id, number=number, lines=len(patients), sealed=sealed))
    found.written += len(patients)


def _give_back(parts: Renhice, export_id: UUID) -> None:
    with parts.database.unit_of_work() as session:
        found = session.scalars(select(Export).where(Export.id == export_id).with_for_update()).one()
        found.leased_until = None
