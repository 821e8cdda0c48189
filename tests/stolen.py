"""What a stolen database shows, looked for so that chance is not taken for a leak.

In the hexadecimal of a small system's sealed bytes one of thirty numbers of seven digits stands in one run of twenty:
bytes are looked into as bytes, and identifiers, keys and digests written as text, drawn by lot as well, apart from the
text. What is left to chance is less than one run in 1 000 million.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]
UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SIGN = "[0-9A-Za-z]"
DRAWN = re.compile(r"(?<![\w-])(?=[\w-]*[0-9])(?=[\w-]*[A-Za-z])[\w-]{32,}", re.ASCII)


@dataclass(frozen=True)
class Shown:
    """A text, the bytes beside it, and the long runs of letters and digits that stood in it."""

    text: str
    drawn: str
    raw: bytes

    def shows(self, word: str) -> bool:
        """Whether it says a word or its hexadecimal; in what was drawn by lot, alone, not within a longer word."""
        coded = word.encode()
        plain = word in self.text or coded in self.raw
        hexed = any(coded.hex() in one for one in (self.text, self.drawn)) or coded.hex().encode() in self.raw
        return plain or hexed or re.search(rf"(?<!{SIGN}){re.escape(word)}(?!{SIGN})", self.drawn) is not None


def shown_by(*values: Any) -> Shown:
    """What values of any type show."""
    parts = [part for value in values for part in _parts(value)]
    text = "\n".join(part for part in parts if isinstance(part, str))
    identifiers = (UUID(found).bytes for found in UUIDS.findall(text))
    raw = b"\n".join([*(part for part in parts if isinstance(part, bytes)), *identifiers])
    text = UUIDS.sub(" ", text)
    return Shown(DRAWN.sub(" ", text), "\n".join(DRAWN.findall(text)), raw)


def tables(connection: Connection) -> Iterator[tuple[str, Shown]]:
    """What every table shows."""
    names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    for (name,) in names:
        yield name, shown_by(connection.execute(f'SELECT * FROM "{name}"').fetchall())  # type: ignore[call-overload]


def _parts(value: Any) -> Iterator[str | bytes]:
    match value:
        case bytes():
            yield value
        case UUID():
            yield value.bytes
        case float():  # its fraction is a measure
            yield f"{value:.0f}"
        case dict():
            yield from _parts(list(value.items()))
        case list() | tuple():
            for one in value:
                yield from _parts(one)
        case _:
            yield str(value)
