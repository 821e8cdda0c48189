"""Reading records from CSV: one row a source record, any cell may be empty, dirt is kept for the engine to judge."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from matching.records import Demographics, Document, DocumentType, Sex

REQUIRED = frozenset({"establishment", "local_id"})
MOST_CHARACTERS = 400
SEXES: dict[str, Sex] = {"M": "M", "H": "M", "1": "M", "F": "F", "2": "F"}


class FileError(ValueError):
    """A file that is not a table of records; names the line."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A source record of a file."""

    establishment: str
    local_id: str
    demographics: Demographics


def read_records(lines: Iterable[str]) -> Iterator[FileRecord]:
    """Records of a CSV with a header. Raises `FileError` for a missing column, a short row or an oversized cell."""
    rows = csv.DictReader(lines, strict=True)
    try:
        missing = REQUIRED - set(rows.fieldnames or ())
        if missing:
            raise FileError(f"missing columns: {', '.join(sorted(missing))}")
        for row in rows:
            yield _record(row, rows.line_num)
    except csv.Error as error:
        raise FileError(f"line {rows.line_num}: {error}") from error


def _record(row: dict[str, str | None], line: int) -> FileRecord:
    if None in row or None in row.values():
        raise FileError(f"line {line}: wrong number of cells")
    if any(len(cell or "") > MOST_CHARACTERS for cell in row.values()):
        raise FileError(f"line {line}: a cell is longer than {MOST_CHARACTERS} characters")
    cells = {name: (cell or "").strip() for name, cell in row.items()}
    return FileRecord(cells["establishment"], cells["local_id"], _demographics(cells))


def _demographics(cells: dict[str, str]) -> Demographics:
    return Demographics(
        documents=_document(cells.get("document_type", ""), cells.get("document_number", "")),
        paternal_surname=cells.get("paternal_surname") or None,
        maternal_surname=cells.get("maternal_surname") or None,
        married_surname=cells.get("married_surname") or None,
        given_names=cells.get("given_names") or None,
        sex=SEXES.get(cells.get("sex", "").upper()[:1]),
        birth_date=parse_date(cells.get("birth_date", "")),
        ubigeo=cells.get("ubigeo") or None,
        address=cells.get("address") or None,
        phone=cells.get("phone") or None,
    )


def _document(kind: str, number: str) -> tuple[Document, ...]:
    if not number:
        return ()
    known = kind.upper() in DocumentType.__members__
    return (Document(DocumentType[kind.upper()] if known else DocumentType.OTHER, number),)


def parse_date(text: str) -> date | None:
    """An ISO or day/month/year date; a month above 12 means day and month were exchanged; anything else is missing."""
    parts = text.replace("/", "-").replace(".", "-").split("-")
    if len(parts) != 3 or not all(part.isdecimal() and len(part) <= 4 for part in parts):
        return None
    year, month, day = (int(part) for part in (parts if len(parts[0]) == 4 else parts[::-1]))
    if month > 12:
        month, day = day, month
    try:
        return date(year, month, day)
    except ValueError:
        return None
