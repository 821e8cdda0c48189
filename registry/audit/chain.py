"""The form of the chain: what is hashed of an event and of a segment, the same in every version.

An event is hashed as JSON: keys in order, what is null left out (so a column added later changes no hash of before).
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple, Self
from uuid import UUID

from registry.audit.service import Position
from registry.sealing import Sealer

DOMAIN = "audit-segment"
MARK_BYTES = 4
_HEAD = re.compile(r"([1-9]\d{0,17}):((?:[0-9a-f]{4}-){7}[0-9a-f]{4})")


class Head(NamedTuple):
    """A segment's number and hash: whoever notes both outside the registry can tell later whether they still hold."""

    number: int
    hash: bytes

    @classmethod
    def parse(cls, words: str) -> Self:
        """What `str` made; raises ValueError."""
        found = _HEAD.fullmatch(words.strip().lower())
        if found is None:
            msg = "a head looks like 17:0123-4567-89ab-cdef-0123-4567-89ab-cdef"
            raise ValueError(msg)
        return cls(int(found[1]), bytes.fromhex(found[2].replace("-", "")))

    @property
    def words(self) -> str:
        """The hash in groups of four: to be read aloud, and no run of digits for the log to blank."""
        return self.hash.hex("-", -2)

    def __str__(self) -> str:
        return f"{self.number}:{self.words}" if self.hash else "none yet"


NO_HEAD = Head(0, b"")
"""What the first segment continues."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What events in their order come to: a hash of them all, and a mark of each."""

    hash: bytes
    marks: bytes


def digest(events: Iterable[Mapping[str, Any]]) -> Digest:
    """Hash events, each a mapping of the table's columns, in this order."""
    whole, marks = sha256(), bytearray()
    for event in events:
        line = canonical(event)
        whole.update(line)
        marks += sha256(line).digest()[:MARK_BYTES]
    return Digest(whole.digest(), bytes(marks))


def canonical(event: Mapping[str, Any]) -> bytes:
    """An event as one line of JSON, the same on every machine."""
    said = {name: value for name, value in event.items() if value is not None}
    line = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)
    return f"{line}\n".encode()


@dataclass(frozen=True, slots=True)
class Link:
    """What the hash of a segment is made of, besides the hash before it."""

    number: int
    events: Digest
    reached: Position
    chained_at: datetime

    def hash(self, sealer: Sealer, previous: bytes) -> bytes:
        """Without the blind key nobody can make it."""
        parts = [self.number, previous.hex(), self.events.hash.hex(), *map(_plain, (*self.reached, self.chained_at))]
        return sealer.blind(DOMAIN, json.dumps(parts))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, UUID):
        return str(value)
    msg = f"an audit event holds no {type(value).__name__}"
    raise TypeError(msg)
