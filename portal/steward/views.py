"""What the steward's pages show: frozen values, masked where nobody asked to see more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from portal.steward.differences import Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistLine:
    """A case in the worklist; nothing of any person."""

    id: UUID
    reason: str
    establishment: str
    days: int
    since: datetime
    weight: float | None
    assigned: str
    undecided: int
    contested: bool
    awaiting: bool
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a column of values comes from."""

    record_id: UUID
    establishment: str
    version: int
    received_at: datetime
    check: str
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field of two records; `sensitive` names the field that can be shown whole, empty where nothing is masked."""

    label: str
    ours: Sequence[Piece]
    theirs: Sequence[Piece]
    state: str
    state_word: str
    sensitive: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """What one field adds to the weight or takes from it; the bar runs from `start`, `length` long, of 100."""

    label: str
    level: str
    bits: float
    start: float
    length: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCard:
    """Another record of a person: its source and what it says, field by field."""

    source: Source
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalView:
    """A person beside the record of the case."""

    person_id: UUID
    is_home: bool
    source: Source | None
    rows: Sequence[Row]
    absent: Sequence[str]
    """Fields that neither side has."""
    weights: Sequence[Weight]
    bits: float | None
    probability: float | None
    others: Sequence[RecordCard]
    records: int
    two_humans: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """A decision and how it stands; stewards are told apart by a mark, not by name."""

    id: UUID
    verdict: str
    word: str
    state: str
    reason: str
    by: str
    mine: bool
    at: datetime
    second: str
    answered_at: datetime | None
    note: str | None
    case_id: UUID | None
    person_id: UUID
    others: Sequence[UUID]
    undoes: UUID | None
    undone_by: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """All of a case."""

    id: UUID
    revision: int
    reason: str
    state: str
    days: int
    since: datetime
    assigned: str
    mine: bool
    taken: bool
    contested: bool
    awaiting: UUID | None
    person_id: UUID
    source: Source | None
    companions: Sequence[RecordCard]
    rivals: Sequence[RivalView]
    decisions: Sequence[DecisionView]
    model: str
    asked_by: str
    revealed: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a verdict would do, in sentences; `refused` says why it can't be done."""

    sentences: Sequence[str]
    needs_second: bool
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """A person at a moment: what is preferred of it, and its records."""

    id: UUID
    status: str
    replaced_by: UUID | None
    preferred: Sequence[tuple[str, str]]
    records: Sequence[RecordCard]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """Something that changed who a record is about."""

    at: datetime
    what: str
    by: str
    reason: str
    bits: float | None
    model: str
    decision_id: UUID | None
    person_id: UUID
    other_id: UUID | None
    elsewhere: bool
    """It happened to a person that this one replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """Who stands for a report."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """Something a new model would change; nothing of any person."""

    id: UUID
    kind: str
    reason: str
    records: int
    weight: float | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run of a new model: how far it is, what it would change, who approved."""

    id: UUID
    state: str
    model: str
    hash: str
    started_at: datetime
    reported_at: datetime | None
    judged: int
    slices: int
    settled: int
    total: int
    report: Mapping[str, Any] | None
    sample: Sequence[ChangeView]
    drift: int
    outdated: str
    approvals: Sequence[ApprovalView]
    needed: int
    may_approve: bool
