"""Reading tables of text as people export them: any usual encoding and delimiter, bad rows named by their line.

Nothing is lost silently: a row that is no row is an error, or is kept in `Reading.left_out` when the caller asked to
go on without it.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO

MOST_CHARACTERS = 400
LONGEST_ROW = 1 << 20
DELIMITERS = ",;\t|"
BYTE_ORDER_MARK = "\ufeff"
NOT_TEXT = {
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"\x1f\x8b": "compressed",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
}


class FileError(ValueError):
    """A file that is not the table asked for; says which line, never a value."""


class BadRowError(FileError):
    """A row that is no row of the table, met where none may be left out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it starts on, and its cells by column, trimmed; a line of empty cells has none."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """Lines that are no row of the table, and why."""

    line: int
    last: int
    why: str

    def __str__(self) -> str:
        """Where and why, never a value."""
        where = f"line {self.line}" if self.last <= self.line else f"lines {self.line} to {self.last}"
        return f"{where}: {self.why}"


@dataclass(slots=True)
class Reading:
    """What was noticed on the way: columns, delimiter, how many lines were not UTF-8, rows left out.

    `position` is the byte behind the row that was read last, and `line` the last line of it.
    """

    skip_bad_rows: bool = False
    columns: tuple[str, ...] = ()
    delimiter: str = ","
    not_utf8: int = 0
    position: int = 0
    line: int = 0
    left_out: list[BadRow] = field(default_factory=list)

    def refuse(self, bad: BadRow) -> None:
        """Leave a bad row out, or raise `BadRowError` for it."""
        if not self.skip_bad_rows:
            raise BadRowError(str(bad))
        self.left_out.append(bad)


def read_table(source: BinaryIO, required: Iterable[str], reading: Reading) -> Iterator[Row]:
    """Rows of a CSV with a header. UTF-8 or, line by line, Windows-1252; comma, semicolon, tab or bar; LF or CRLF.

    Raises `FileError` for what is no text, a column missing or there twice, a quotation mark never closed, and a row of
    more than a mebibyte; and `BadRowError` for a bad row unless `reading.skip_bad_rows`.
    """
    for one in read_each(source, required, reading):
        if isinstance(one, BadRow):
            reading.refuse(one)
        elif one.cells:
            yield one


def read_each(source: BinaryIO, required: Iterable[str], reading: Reading) -> Iterator[Row | BadRow]:
    """The rows of a CSV, bad ones and blank lines as well, each as it comes; raises `FileError` as `read_table` does.

    A seekable source goes on behind the header where `reading.position` and `reading.line` say.
    """
    begin, begin_line = reading.position, reading.line
    taken = _Lines(source)
    lines = _decoded(_probed(taken), reading)
    before, header = _header(lines)
    reading.delimiter = max(DELIMITERS, key=header.count)
    rows = csv.reader(chain([header], lines), delimiter=reading.delimiter, strict=True)
    try:
        reading.columns = _columns(next(rows), set(required))
    except csv.Error as error:
        raise FileError(f"line {before + 1}: the header can't be read: {error}") from error
    if begin:
        taken.position = source.seek(begin)
        before = begin_line - rows.line_num
    while True:
        line, taken.left = before + rows.line_num + 1, LONGEST_ROW
        try:
            cells = next(rows)
            cells = cells if any(map(str.strip, cells)) else []
            why = _fault(cells, reading.columns)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error) or before + rows.line_num > line:
                raise FileError(f"line {line}: a quotation mark opened here is never closed") from error
            why = str(error)
        reading.position, reading.line = taken.position, before + rows.line_num
        if why:
            yield BadRow(line, reading.line, why)
        else:
            yield Row(line, {name: cell.strip() for name, cell in zip(reading.columns, cells, strict=False) if name})


def canonical(column: str) -> str:
    """A column's name as compared: case, spaces and hyphens don't matter."""
    return column.strip().lower().replace(" ", "_").replace("-", "_")


class _Lines:
    """Lines of a file. Of one row no more are taken than `left` bytes: all of a row is in memory until it ends."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self.left, self.position = source, LONGEST_ROW, 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> bytes:
        line = self._source.readline(self.left + 1)
        if not self.position and b"\r" in line.rstrip(b"\r\n"):
            raise FileError("its lines end in a carriage return alone: save it with the line ends of Windows or Unix")
        self.left -= len(line)
        self.position += len(line)
        if self.left < 0:
            raise FileError(f"a row is longer than {LONGEST_ROW} bytes")
        if not line:
            raise StopIteration
        return line


def _probed(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines, after a look at the first."""
    first = next(lines, b"")
    found = next((what for mark, what in NOT_TEXT.items() if first.startswith(mark)), "")
    if found or b"\0" in first:
        raise FileError(f"this is {found or 'no text, or UTF-16'}: save it as CSV in UTF-8")
    return chain([first], lines)


def _decoded(lines: Iterator[bytes], reading: Reading) -> Iterator[str]:
    for line in lines:
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            reading.not_utf8 += 1
            yield line.decode("cp1252", errors="replace")


def _header(lines: Iterator[str]) -> tuple[int, str]:
    """Number of lines before the header, and the header: blank lines and the `sep=` of spreadsheets come before it."""
    for before, line in enumerate(lines):
        text = line.lstrip(BYTE_ORDER_MARK)
        if text.strip() and not text.lower().startswith("sep="):
            return before, text
    raise FileError("the file is empty")


def _columns(header: list[str], required: set[str]) -> tuple[str, ...]:
    names = tuple(map(canonical, header))
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise FileError(f"columns that appear twice: {', '.join(repeated)}")
    missing = sorted(required - set(names))
    if missing:
        raise FileError(f"missing columns: {', '.join(missing)}; the header has: {', '.join(filter(None, names))}")
    return names


def _fault(cells: list[str], columns: tuple[str, ...]) -> str:
    """Why these cells are no row of the table; empty when they are. Empty cells past the last column don't count."""
    if cells and (len(cells) < len(columns) or any(cells[len(columns) :])):
        return f"{len(cells)} cells where the header has {len(columns)}"
    if any(len(cell) > MOST_CHARACTERS for cell in cells):
        return f"a cell is longer than {MOST_CHARACTERS} characters"
    return ""
