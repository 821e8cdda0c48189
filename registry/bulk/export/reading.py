"""A file of an export as it leaves: part by part, each opened in a unit of work of its own; gzip where it is taken."""

import zlib
from collections.abc import Iterable, Iterator
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.app import Renhice
from registry.bulk.export.models import ExportPart
from registry.bulk.export.service import PARTS_PER_FILE
from registry.bulk.export.writing import part_context
from registry.database import now
from registry.directory.service import find_record_system

READ = "system/Patient.rs"
"""The scope an export is asked for and fetched by."""

GZIP = 31
"""zlib's name for the gzip format with the largest window."""


class FileGone(Exception):
    """While a file was being fetched its export was called off or expired, or the client lost what it fetches it by.

    What was sent is not all of it.
    """


def read_file(parts: Renhice, client_id: str, export_id: UUID, number: int, count: int) -> Iterator[bytes]:
    """The NDJSON of a file with that many lines; whoever downloads slowly holds no connection. Raises FileGone.

    Whether that client may still be served is asked before each part leaves.
    """
    for place in range(number * PARTS_PER_FILE, (number + 1) * PARTS_PER_FILE):
        if count <= 0:
            return
        with parts.database.unit_of_work() as session:
            _require_standing(session, client_id)
            query = select(ExportPart).where(ExportPart.export_id == export_id, ExportPart.number == place)
            found = session.scalars(query).one_or_none()
            if found is None:
                raise FileGone
            opened = parts.sealer.open(session, export_id, found.sealed, part_context(place))
        count -= found.lines
        yield zlib.decompress(opened)


def _require_standing(session: Session, client_id: str) -> None:
    """Raise FileGone unless the client is accredited now, and still registered for reading."""
    client = find_record_system(session, client_id)
    if client is None or client.unusable(now()) or READ not in client.scopes:
        raise FileGone


def compressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same as one gzip member, since readers stop after the first."""
    packer = zlib.compressobj(6, wbits=GZIP)
    for block in blocks:
        yield packer.compress(block)
    yield packer.flush()
