"""Finding the persons a record may be about: locks, blind blocking, and members opened in one query."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, starmap
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, any_, bindparam, func, select, text
from sqlalchemy.orm import QueryableAttribute, Session

from matching.blocking import ENOUGH, MORE
from matching.cluster import Member, likely
from matching.key_scheme import key_scheme
from matching.normalise import Normalised, normalise
from registry.errors import Unavailable
from registry.identity.contents import Content, from_bytes, seal_context
from registry.identity.engine import Engine, document_tokens
from registry.identity.models import BlockingScheme, Membership, Person, SourceRecord, SourceRecordVersion
from registry.questions import Question
from registry.sealing import DataKey, Sealer, SealError, WrappedKey
from registry.telemetry import logger

BLOCK_LIMIT = 200
CANDIDATE_LIMIT = 200

OVERSIZED_BLOCKS = Counter("renhice_oversized_blocks_total", "Blocks cut off at the limit while searching")
HITS = Question(
    text("""
WITH hits AS (
  SELECT wanted.position, block.source_record_id,
    CASE WHEN wanted.token = ANY(CAST(:documents AS bigint[])) THEN CAST(:more AS integer)
         WHEN wanted.token & 1 = 1 THEN CAST(:enough AS integer) ELSE 1 END AS worth
  FROM unnest(CAST(:tokens AS bigint[])) WITH ORDINALITY AS wanted (token, position)
  CROSS JOIN LATERAL (
    SELECT source_record_id FROM blocking_tokens
    WHERE token = wanted.token ORDER BY source_record_id LIMIT :block_limit
  ) AS block
), oversized AS (
  SELECT count(*) AS blocks FROM (SELECT 1 FROM hits GROUP BY position HAVING count(*) >= :block_limit) AS full_block
), ranked AS (
  SELECT source_record_id, sum(worth) AS shared, max(sum(worth)) OVER () AS most FROM hits GROUP BY source_record_id
  HAVING sum(worth) >= :least ORDER BY sum(worth) DESC, source_record_id LIMIT :candidate_limit
), unopened AS (
  SELECT CAST(array_agg(source_record_id) AS text) AS records FROM ranked WHERE shared < least(:opening, most)
)
SELECT in_force.scheme, oversized.blocks, unopened.records,
  first.source_record_id, said.master_key_id, said.wrapped, said.version, said.sealed
FROM (SELECT scheme FROM blocking_schemes WHERE ended_at IS NULL) AS in_force
CROSS JOIN oversized CROSS JOIN unopened
LEFT JOIN (SELECT source_record_id FROM ranked WHERE shared >= least(:opening, most)) AS first ON true
LEFT JOIN LATERAL (
  SELECT master_key_id, wrapped, version, sealed
  FROM source_record_versions AS kept JOIN data_keys ON owner_id = kept.source_record_id
  WHERE kept.source_record_id = first.source_record_id
  ORDER BY version DESC LIMIT 1
) AS said ON true
""")
)
"""What shares enough with what is wanted; what shares as much as `opening` as it is kept now: all, where nothing does.

Most of it is only looked at, its person never read.
"""
SAID = Question(
    text("""
SELECT owner_id, master_key_id, wrapped, version, sealed
FROM data_keys CROSS JOIN LATERAL (
  SELECT version, sealed FROM source_record_versions AS kept
  WHERE kept.source_record_id = data_keys.owner_id ORDER BY version DESC LIMIT 1
) AS newest
WHERE owner_id = ANY(CAST(:records AS uuid[]))
""")
)


def _members(where: ColumnElement[bool]) -> Question:
    """All records of persons with their newest version and its data key, in the order of persons and records."""
    return Question(
        select(
            Membership.person_id,
            Person.revision,
            SourceRecord.id,
            SourceRecord.establishment_id,
            SourceRecord.version,
            SourceRecord.active,
            SourceRecord.verified,
            SourceRecord.received_at,
            SourceRecordVersion.sealed,
            DataKey.owner_id,
            DataKey.master_key_id,
            DataKey.wrapped,
        )
        .join(Person, Person.id == Membership.person_id)
        .join(SourceRecord, SourceRecord.id == Membership.source_record_id)
        .join(
            SourceRecordVersion,
            (SourceRecordVersion.source_record_id == SourceRecord.id)
            & (SourceRecordVersion.version == SourceRecord.version),
        )
        .outerjoin(DataKey, DataKey.owner_id == SourceRecord.id)
        .where(where)
        .order_by(Membership.person_id, SourceRecord.id)
    )


def _among(column: QueryableAttribute[UUID], wanted: Select[UUID]) -> ColumnElement[bool]:
    """`IN`, of which the planner expects the same however many there are: so it plans once, not at every asking."""
    return column == any_(func.array(wanted.scalar_subquery(), type_=ARRAY(Uuid)))


WANTED = select(func.unnest(bindparam("wanted", type_=ARRAY(Uuid)), type_=Uuid))
OF_PERSONS = _members(_among(Membership.person_id, WANTED))
OF_RECORDS = _members(
    _among(Membership.person_id, select(Membership.person_id).where(_among(Membership.source_record_id, WANTED)))
)
SWITCHING = 0x424C4F434B  # "BLOCK": held together by who registers, alone by who changes the scheme in force
LOCKS = text("""
WITH registering AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(:switching))
SELECT count(pg_advisory_xact_lock(key)) FROM registering, unnest(CAST(:keys AS bigint[])) AS key
""")
TOGETHER = text("SELECT pg_advisory_xact_lock_shared(:switching)")
IN_FORCE = select(BlockingScheme.scheme).where(BlockingScheme.ended_at.is_(None))
_log = logger(__name__)


class OtherScheme(Unavailable):
    """The index goes by the blocking keys of another version of the engine."""

    code = "index-of-another-version"

    def __init__(self) -> None:
        super().__init__(
            "The index is being prepared for another version of this service.",
            hint="Try again in a moment; the operator can see how far it is with: renhice identity rekey.",
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """What one version of a source record says."""

    content: Content
    normalised: Normalised


Versions = dict[tuple[UUID, int], Opened]
"""Versions of records already opened, by record and version."""


@dataclass(frozen=True, slots=True)
class LoadedMember:
    """A source record of a person, opened."""

    record_id: UUID
    establishment_id: UUID
    version: int
    active: bool
    verified: bool
    received_at: datetime
    content: Content
    normalised: Normalised
    replaced_by: UUID | None = None
    """The record of its establishment that stands for this one."""

    def member(self) -> Member:
        """The record as the engine judges it."""
        return Member(self.normalised, self.verified, str(self.establishment_id))


@dataclass(frozen=True, slots=True)
class LoadedPerson:
    """A person with its members, as of `revision`; `records` are all of its records, the unreadable ones too."""

    person_id: UUID
    revision: int
    members: tuple[LoadedMember, ...]
    records: frozenset[UUID] = frozenset()


def serialise(session: Session, tokens: Iterable[int]) -> None:
    """Hold every token until the transaction ends: two records that could be linked wait for each other.

    Locks are taken in one order by everybody, so waiting never becomes a deadlock. Meanwhile the scheme in force stays.
    """
    session.execute(LOCKS, {"keys": sorted(set(tokens)), "switching": SWITCHING})


def find_persons(
    session: Session, sealer: Sealer, tokens: Sequence[int], least: int = ENOUGH
) -> dict[UUID, LoadedPerson]:
    """Persons with a record whose shared blocking tokens are worth at least so much, most first cut; deterministic.

    A block over BLOCK_LIMIT is cut at its oldest records and counted in a metric: it never widens silently. Raises
    Unavailable where the index goes by other rules than these tokens: people would seem unknown.
    """
    opened = _find(session, sealer, Sought(tokens), least, least).opened
    return _load_around(session, sealer, {record for record, _ in opened}, opened)


def find_likely(
    session: Session, engine: Engine, wanted: Normalised, tokens: Sequence[int], known: UUID | None = None
) -> dict[UUID, LoadedPerson]:
    """Of `find_persons` those whom a record found makes worth looking at, and the person of the `known` record.

    Only what is found is opened first, then the other records of those persons: most of what a name and a birthday find
    in a large index are strangers. What shares one key and no document is opened only where nothing that shares `MORE`
    settles whom the record is of; a known record resembles itself and settles nothing.
    """
    sealer = engine.sealer
    sought = Sought(tokens, document_tokens(sealer, wanted))
    opened, left = _find(session, sealer, sought, ENOUGH, ENOUGH if known else MORE)

    def rest() -> Mapping[UUID, Normalised]:
        further = open_newest(session, sealer, left) if left else {}
        opened.update(further)
        return _normalised(further)

    chosen = likely(engine.model, wanted, _normalised(opened), rest)
    return _load_around(session, sealer, chosen | ({known} if known else set()), opened)


class Sought(NamedTuple):
    """Tokens to search by; which of them are a document's number counts where not all that is found is opened."""

    tokens: Sequence[int]
    documents: Sequence[int] = ()


class Found(NamedTuple):
    """What records that share enough say, and those that were left unopened, as PostgreSQL writes an array."""

    opened: Versions
    left: str | None


def _normalised(opened: Versions) -> Mapping[UUID, Normalised]:
    return {record: said.normalised for (record, _), said in opened.items()}


def _find(session: Session, sealer: Sealer, sought: Sought, least: int, opening: int) -> Found:
    if not sought.tokens:
        return Found({}, None)
    rows = HITS.ask(
        session,
        tokens=list(sought.tokens),
        documents=list(sought.documents),
        enough=ENOUGH,
        more=MORE,
        least=least,
        opening=opening,
        block_limit=BLOCK_LIMIT,
        candidate_limit=CANDIDATE_LIMIT,
    )
    if [row[0] for row in rows[:1]] != [key_scheme()]:
        raise OtherScheme
    _, oversized, left, *_ = rows[0]
    OVERSIZED_BLOCKS.inc(oversized)
    return Found(_open_all(sealer, [row[3:] for row in rows if row[4] is not None]), left)


def open_newest(session: Session, sealer: Sealer, records: Sequence[UUID] | str) -> Versions:
    """What these records say now, given their ids or an array of them as PostgreSQL reads it."""
    return _open_all(sealer, SAID.ask(session, records=records))


def _open_all(sealer: Sealer, rows: Iterable[tuple[Any, ...]]) -> Versions:
    """What records say, by their data keys; what can't be opened is left out."""
    opened: Versions = {}
    for owner_id, master_key_id, wrapped, version, sealed in rows:
        said = _open(sealer, WrappedKey(owner_id, master_key_id, wrapped), version, sealed)
        if said is not None:
            opened[owner_id, version] = said
    return opened


def scheme_in_force(session: Session) -> int | None:
    """The fingerprint of the rules the index is searched by."""
    return session.scalar(IN_FORCE)


def load_persons(session: Session, sealer: Sealer, person_ids: Collection[UUID]) -> dict[UUID, LoadedPerson]:
    """The persons with their members opened, data keys included, in one query; unreadable members are left out."""
    return _load_all(sealer, OF_PERSONS.ask(session, wanted=list(person_ids)), {}) if person_ids else {}


def _load_around(
    session: Session, sealer: Sealer, records: Collection[UUID], opened: Versions
) -> dict[UUID, LoadedPerson]:
    """The persons these records are of."""
    return _load_all(sealer, OF_RECORDS.ask(session, wanted=list(records)), opened) if records else {}


class MemberRow(NamedTuple):
    """A record of a person as it is kept."""

    person_id: UUID
    revision: int
    record_id: UUID
    establishment_id: UUID
    version: int
    active: bool
    verified: bool
    received_at: datetime
    sealed: bytes
    owner_id: UUID | None
    """None where the data key was destroyed."""
    master_key_id: str
    wrapped: bytes


def _load_all(sealer: Sealer, rows: Iterable[tuple[Any, ...]], opened: Versions) -> dict[UUID, LoadedPerson]:
    persons = groupby(starmap(MemberRow, rows), key=attrgetter("person_id"))
    return {key: _load(sealer, key, list(members), opened) for key, members in persons}


def _load(sealer: Sealer, person_id: UUID, rows: Sequence[MemberRow], opened: Versions) -> LoadedPerson:
    members = tuple(loaded for row in rows if (loaded := _member(sealer, row, opened)) is not None)
    return LoadedPerson(person_id, rows[0].revision, members, frozenset(row.record_id for row in rows))


def _member(sealer: Sealer, row: MemberRow, opened: Versions) -> LoadedMember | None:
    if row.owner_id is None:
        return None
    said = opened.get((row.record_id, row.version))
    key = WrappedKey(row.owner_id, row.master_key_id, row.wrapped)
    said = said or _open(sealer, key, row.version, row.sealed)
    if said is None:
        return None
    return LoadedMember(
        record_id=row.record_id,
        establishment_id=row.establishment_id,
        version=row.version,
        active=row.active,
        verified=row.verified,
        received_at=row.received_at,
        content=said.content,
        normalised=said.normalised,
    )


def _open(sealer: Sealer, key: WrappedKey, version: int, sealed: bytes) -> Opened | None:
    try:
        content = from_bytes(sealer.unseal(key, sealed, seal_context(version)))
    except SealError as error:
        _log.error("a source record can't be opened", exc_info=error)
        return None
    return Opened(content, normalise(content.demographics))


def lock_persons(session: Session, person_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Hold persons against changes of membership until the transaction ends; returns their revisions.

    Who holds several waits for a chunk of a file to end first: it holds persons of one record after another.
    """
    if len(person_ids) > 1:
        session.execute(TOGETHER, {"switching": SWITCHING})
    query = select(Person.id, Person.revision).where(Person.id.in_(person_ids)).order_by(Person.id)
    rows = session.execute(query.with_for_update(key_share=True)).all()
    return {row.id: row.revision for row in rows}
