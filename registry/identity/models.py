"""Tables of identity: what sources said, who they are about, and the events that joined them."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Table, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Uuid

from registry.database import Base, new_id, now

NAMES_DIFFER = "names-differ"
"""A verification's status: the DNI is somebody's of other names."""

OPEN, SETTLED, SUPERSEDED = "open", "settled", "superseded"
"""Statuses of a possible match: waiting for a steward, decided by one, or made obsolete by newer data."""

UPHELD, DISMISSED, WITHDRAWN = "upheld", "dismissed", "withdrawn"
"""How a citizen's claim ends: the record left, it was found to be theirs, or they took the claim back."""


class BlockingScheme(Base):
    """The rules the index is searched by, as the engine's fingerprint of them; the one not ended is in force."""

    __tablename__ = "blocking_schemes"
    __table_args__ = (
        Index(
            "ix_blocking_schemes_in_force",
            text("(ended_at IS NULL)"),
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    scheme: Mapped[int]
    begun_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]


class SourceRecord(Base):
    """What one record system says of one patient, unique by establishment and local number.

    `scheme` is that of the blocking tokens last written for it. `replaced_by` is the record of the same establishment
    that it says stands for this one (IHE PIXm ITI-104, resolve duplicate).
    """

    __tablename__ = "source_records"
    __table_args__ = (
        UniqueConstraint("establishment_id", "local_token"),
        Index("ix_source_records_due_check", "next_check_at", postgresql_where=text("next_check_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    establishment_id: Mapped[UUID]
    local_token: Mapped[bytes]
    version: Mapped[int]
    content_token: Mapped[bytes]
    scheme: Mapped[int] = mapped_column(index=True)
    active: Mapped[bool]
    replaced_by: Mapped[UUID | None] = mapped_column(ForeignKey("source_records.id"), index=True)
    verified: Mapped[bool] = mapped_column(default=False)
    deceased_reported: Mapped[bool] = mapped_column(default=False)
    """The record system says that the patient has died."""
    deceased_confirmed: Mapped[bool] = mapped_column(default=False)
    """RENIEC says that the holder of the record's DNI, whose names are the record's, has died."""
    next_check_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    received_at: Mapped[datetime] = mapped_column(default=now)
    said_at: Mapped[datetime | None]
    """When its record system last changed it, where a file says so: an older word does not replace a newer one."""


class MotherNumber(Base):
    """The blind token of the local number that a version of a source record gave its patient's mother.

    It is the token of the mother's own record. Others than the newest version's may be there still: hold what is found
    against what the record says.
    """

    __tablename__ = "mother_numbers"

    token: Mapped[bytes] = mapped_column(primary_key=True)
    source_record_id: Mapped[UUID] = mapped_column(ForeignKey("source_records.id"), primary_key=True)


class SourceRecordVersion(Base):
    """One version of a source record, sealed; never changed, never deleted."""

    __tablename__ = "source_record_versions"

    source_record_id: Mapped[UUID] = mapped_column(ForeignKey("source_records.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]
    active: Mapped[bool]
    replaced_by: Mapped[UUID | None]
    client_id: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(default=now)


class Verification(Base):
    """What the identity registry (RENIEC) answered about the document and names of one version."""

    __tablename__ = "verifications"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    source_record_id: Mapped[UUID] = mapped_column(ForeignKey("source_records.id"), index=True)
    version: Mapped[int]
    status: Mapped[str]
    source: Mapped[str]
    checked_at: Mapped[datetime] = mapped_column(default=now)


class BlockingToken(Base):
    """A blind blocking key of the newest version of a source record, made under the rules of `scheme`.

    No foreign key: a record has a score of them, is written with them and never deleted, and looking it up for each
    was a quarter of what the database did for an import. Found by token only (`registry.identity.tokens`).
    """

    __tablename__ = "blocking_tokens"

    token: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source_record_id: Mapped[UUID] = mapped_column(primary_key=True)
    scheme: Mapped[int]


class Person(Base):
    """A human as the registry knows one: an opaque id; `revision` counts changes of its records.

    `status` is `active`, `replaced` (see `replaced_by`) or `empty` (its last record turned out to be someone else's).
    `regrouped_at` is when records last joined or left it other than by their own arrival: no token is older.
    """

    __tablename__ = "persons"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    status: Mapped[str] = mapped_column(default="active")
    replaced_by: Mapped[UUID | None] = mapped_column(ForeignKey("persons.id"), index=True)
    revision: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=now)
    regrouped_at: Mapped[datetime | None]


class Membership(Base):
    """Which person a source record is about today: a projection of the membership events."""

    __tablename__ = "memberships"

    source_record_id: Mapped[UUID] = mapped_column(ForeignKey("source_records.id"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), index=True)
    since: Mapped[datetime] = mapped_column(default=now)


class MembershipEvent(Base):
    """Why a source record is, or is no longer, about a person; append-only and in the order of `position`.

    No foreign keys to either: each is written with a membership, whose own are checked, and neither is ever deleted.
    """

    __tablename__ = "membership_events"

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    person_id: Mapped[UUID] = mapped_column(index=True)
    source_record_id: Mapped[UUID] = mapped_column(index=True)
    other_person_id: Mapped[UUID | None]
    at: Mapped[datetime] = mapped_column(default=now)
    actor: Mapped[str]
    reason: Mapped[str]
    model_hash: Mapped[str | None]
    weight: Mapped[float | None]
    contributions: Mapped[list[Any] | None] = mapped_column(JSONB)
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("steward_decisions.id"), index=True)


class PossibleMatch(Base):
    """A case for a data steward: whether a record is about each of the persons in `rivals`.

    A rival may be the very person the record is kept under: then somebody says that it does not belong there.
    `revision` counts what happens to the case; `undecided` how often a steward could not tell.
    """

    __tablename__ = "possible_matches"
    __table_args__ = (
        Index(
            "ix_possible_matches_open",
            "source_record_id",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    source_record_id: Mapped[UUID] = mapped_column(ForeignKey("source_records.id"))
    version: Mapped[int]
    rivals: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    reason: Mapped[str]
    weight: Mapped[float]
    contributions: Mapped[list[Any]] = mapped_column(JSONB)
    model_hash: Mapped[str]
    status: Mapped[str] = mapped_column(default=OPEN)
    created_at: Mapped[datetime] = mapped_column(default=now)
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None] = mapped_column(ForeignKey("steward_decisions.id", use_alter=True), index=True)
    revision: Mapped[int] = mapped_column(default=1, server_default="1")
    assigned_to: Mapped[str | None]
    assigned_at: Mapped[datetime | None]
    undecided: Mapped[int] = mapped_column(default=0, server_default="0")


class StewardDecision(Base):
    """What a steward decided, and about which data; append-only. What came of it are membership events and rulings.

    `records` of `person_id` are judged against the persons in `others` (`verdict` same, different, unknown, undo);
    `whole` when persons are joined, `survivor` the one that stays. `basis` is what was looked at: of each person the
    version of each record.
    """

    __tablename__ = "steward_decisions"
    __table_args__ = (
        Index("ix_steward_decisions_person_id_decided_at", "person_id", "decided_at"),
        Index("ix_steward_decisions_others", "others", postgresql_using="gin"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    verdict: Mapped[str]
    possible_match_id: Mapped[UUID | None] = mapped_column(ForeignKey("possible_matches.id"), index=True)
    undoes: Mapped[UUID | None] = mapped_column(ForeignKey("steward_decisions.id"), index=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    others: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    records: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    whole: Mapped[bool]
    survivor: Mapped[UUID | None]
    basis: Mapped[dict[str, dict[str, int]]] = mapped_column(JSONB)
    reason: Mapped[str]
    sealed_note: Mapped[bytes | None]
    steward: Mapped[str]
    client_id: Mapped[str | None]
    needs_second: Mapped[bool]
    decided_at: Mapped[datetime] = mapped_column(default=now)


class DecisionAnswer(Base):
    """What became of a decision that needed a second steward: `confirmed` or `refused`, once."""

    __tablename__ = "decision_answers"

    decision_id: Mapped[UUID] = mapped_column(ForeignKey("steward_decisions.id"), primary_key=True)
    answer: Mapped[str]
    steward: Mapped[str]
    client_id: Mapped[str | None]
    answered_at: Mapped[datetime] = mapped_column(default=now)


class Ruling(Base):
    """A steward's word on two records (`same` or `different`), in force until the data of one change or it is undone.

    The checks are what the identity registry had said of each when it was given: news since then may ask again.
    """

    __tablename__ = "rulings"
    __table_args__ = (
        Index("ix_rulings_in_force", "record_id", postgresql_where=text("ended_at IS NULL")),
        Index("ix_rulings_in_force_other", "other_record_id", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    verdict: Mapped[str]
    record_id: Mapped[UUID] = mapped_column(ForeignKey("source_records.id"))
    other_record_id: Mapped[UUID] = mapped_column(ForeignKey("source_records.id"))
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("steward_decisions.id"), index=True)
    record_check: Mapped[str | None]
    other_record_check: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("steward_decisions.id"), index=True)


class Contest(Base):
    """A citizen says that a record is not about them; it is withheld while `status` is open.

    Ends as `upheld` (it left), `dismissed` (a steward looked, and it is theirs) or `withdrawn`.
    """

    __tablename__ = "contests"
    __table_args__ = (
        Index("ix_contests_open", "source_record_id", unique=True, postgresql_where=text("status = 'open'")),
        Index("ix_contests_person_id_opened_at", "person_id", "opened_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    source_record_id: Mapped[UUID] = mapped_column(ForeignKey("source_records.id"))
    version: Mapped[int]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    possible_match_id: Mapped[UUID] = mapped_column(ForeignKey("possible_matches.id"), index=True)
    reason: Mapped[str]
    status: Mapped[str] = mapped_column(default=OPEN)
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("steward_decisions.id"), index=True)
    opened_at: Mapped[datetime] = mapped_column(default=now)
    closed_at: Mapped[datetime | None]


# Registration is the hot path: it writes through the tables, without the mapper's bookkeeping.
source_records = cast("Table", SourceRecord.__table__)
source_record_versions = cast("Table", SourceRecordVersion.__table__)
persons = cast("Table", Person.__table__)
memberships = cast("Table", Membership.__table__)
membership_events = cast("Table", MembershipEvent.__table__)
possible_matches = cast("Table", PossibleMatch.__table__)
rulings = cast("Table", Ruling.__table__)
contests = cast("Table", Contest.__table__)
