"""What each page shows: small frozen values, already allowed to be seen, so that templates only display."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One establishment that holds records of the person; `hidden` when the person hides the link."""

    id: UUID
    establishment: str
    place: str
    kind: str
    records: int
    last: datetime
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecord:
    """One record of the person: where it is, and nothing of what it says."""

    id: UUID
    establishment_id: UUID
    establishment: str
    place: str
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimView:
    """What the person said of a record, and what came of it."""

    id: UUID
    record_id: UUID
    reason: str
    state: str
    said: str
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRequest:
    """A professional's question the person has not answered."""

    id: UUID
    professional: str
    establishment: str
    purpose: str
    categories: Sequence[str]
    asked_at: datetime
    until: datetime
    decided_here: bool
    """Asked in the portal; a request of a record system is answered by the way it sends the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One access to the person's records, permitted or refused."""

    at: datetime
    permitted: bool
    who: str
    profession: str
    establishment: str
    what: str
    why: str
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """A consent as its owner reads it."""

    id: UUID
    establishment: str
    professional: str
    categories: Sequence[str]
    purpose: str
    since: datetime
    until: datetime
    state: str
    road: str = ""
    """How it was given, where not by the person at a screen of their own."""
    ended_at: datetime | None = None
    labels: Sequence[str] = ()
    days: tuple[date | None, date | None] = (None, None)
    last_read_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """A signed-in browser of the same human."""

    id: UUID
    device: str
    started_at: datetime
    last_seen_at: datetime
    current: bool
    by_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyView:
    """A passkey as its owner sees it."""

    id: UUID
    name: str
    added_at: datetime
    last_used_at: datetime | None
    strongest: bool
    copied: bool
    blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentQuestion:
    """Who asks for what, until when and what for: the consent page, built from stored rows only."""

    action: str
    establishment: str
    place: str
    professional: str
    credential: str
    purpose: str
    categories: Sequence[str]
    until: datetime
    labels: Sequence[str] = ()
    """What is sensitive and asked for by name."""

    repeated: bool = False
    """Whether whoever asks may come back until the end without asking again (`offline_access`)."""

    holders: Sequence[str] = ()
    """Whose records, where only some establishments' are asked for."""

    days: tuple[date | None, date | None] = (None, None)
    """The first and last day the records are from, where not all are asked for."""

    withheld: Sequence[str] = ()
    """What would stay unread all the same, a line each; for the person alone."""

    outranked: Sequence[str] = ()
    """The person's limits that it would prevail over, a line each; for the person alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """One line of a published figure; `value` is None where it is suppressed."""

    label: str
    value: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A published figure: the chart and the table say the same."""

    key: str
    title: str
    unit: str
    dimension: str
    rows: Sequence[FigureRow]
    total: int | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Represented:
    """Somebody in whose name one may act; `current` while one does."""

    id: UUID
    name: str
    basis: str
    powers: Sequence[str]
    until: datetime | None
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RepresentedBy:
    """Somebody who may act in one's own name, or might once."""

    id: UUID
    name: str
    basis: str
    powers: Sequence[str]
    paper: str
    since: datetime
    until: datetime | None
    in_force: bool
    mine_to_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ActInName:
    """Something a representative did."""

    at: datetime
    who: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """An objection as its owner reads it; without `id` while it is only proposed."""

    who: str
    what: str
    source: str
    when: str
    hides: bool
    items: int
    id: UUID | None = None
    since: datetime | None = None
    ended_at: datetime | None = None
    state: str = "proposed"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDocument:
    """A document of the person's as the index describes it; `hidden` when they hide it."""

    id: UUID
    title: str
    establishment: str
    days: str
    received_at: datetime
    categories: Sequence[str]
    labels: Sequence[str]
    hidden: bool
    place_hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnItem:
    """One clinical item of the person's as its holder states it; `kind` and `id` name it there, and other `names`.

    `hidden` when the person hides it, `hidden_with` when it speaks of another item they hide. Without an `id` that can
    be named it can't be hidden by itself.
    """

    kind: str
    id: str
    category: str
    title: str
    status: str
    at: str
    detail: str
    labels: Sequence[str]
    names: frozenset[str]
    hidden: bool
    hidden_with: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldRead:
    """What somebody with a permission reads today, and would with a limit; `partly`: of which something is withheld."""

    id: UUID
    who: str
    establishment: str
    before: Sequence[str]
    after: Sequence[str]
    partly: Sequence[str]
    changes: bool
