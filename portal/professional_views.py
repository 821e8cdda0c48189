"""What a professional's pages show, as `views`: people as far as recognising needs, and their records line by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A person found by a professional; what is not needed to recognise them is masked."""

    id: UUID
    name: str
    born: str
    sex: str | None
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """The person whose page is open, always in view."""

    id: UUID
    name: str
    born: str
    """The birth date in words, empty where nobody said it."""
    age: int | None
    vague: bool
    """Whether only a year or a month of birth is known."""
    sex: str | None
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLine:
    """One clinical item, as its holder states it."""

    title: str
    status: str
    at: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The items of one category."""

    category: str
    lines: Sequence[RecordLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequestStatus:
    """A question this professional put to the person; `opened` once the person has come to it by a code."""

    id: UUID
    state: str
    categories: Sequence[str]
    asked_at: datetime
    until: datetime
    opened: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToConfirm:
    """What a professional put on record of somebody's will, before another confirms it."""

    id: UUID
    recorded_by: str
    recorded_at: datetime
    expires_at: datetime
    evidence: str
    identified_by: str
