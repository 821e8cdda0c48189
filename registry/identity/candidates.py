"""Finding the persons a record may be about: locks, blind blocking, and members opened in one query."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy import Row, bindparam, select, text
from sqlalchemy.orm import Session

from matching.blocking import ENOUGH
from matching.cluster import Member
from matching.key_scheme import key_scheme
from matching.normalise import Normalised, normalise
from registry.errors import Unavailable
from registry.identity.contents import Content, from_bytes, seal_context
from registry.identity.models import BlockingScheme, Membership, Person, SourceRecord, SourceRecordVersion
from registry.sealing import TOKEN_BYTES, DataKey, Sealer, SealError
from registry.telemetry import logger

BLOCK_LIMIT = 200
CANDIDATE_LIMIT = 200

OVERSIZED_BLOCKS = Counter("renhice_oversized_blocks_total", "Blocks cut off at the limit while searching")
CANDIDATES = text("""
WITH hits AS (
  SELECT wanted.position, block.source_record_id,
    CASE WHEN get_byte(wanted.token, :last) % 2 = 1 THEN CAST(:enough AS integer) ELSE 1 END AS worth
  FROM unnest(CAST(:tokens AS bytea[])) WITH ORDINALITY AS wanted (token, position)
  CROSS JOIN LATERAL (
    SELECT source_record_id FROM blocking_tokens
    WHERE token = wanted.token ORDER BY source_record_id LIMIT :block_limit
  ) AS block
), oversized AS (
  SELECT count(*) AS blocks FROM (SELECT 1 FROM hits GROUP BY position HAVING count(*) >= :block_limit) AS full_block
), ranked AS (
  SELECT source_record_id FROM hits GROUP BY source_record_id
  HAVING sum(worth) >= :least ORDER BY sum(worth) DESC, source_record_id LIMIT :candidate_limit
), found AS (
  SELECT DISTINCT memberships.person_id FROM ranked JOIN memberships USING (source_record_id)
)
SELECT found.person_id, oversized.blocks, in_force.scheme
FROM (SELECT scheme FROM blocking_schemes WHERE ended_at IS NULL) AS in_force
CROSS JOIN oversized LEFT JOIN found ON true
""")
MEMBERS = (
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
        DataKey,
    )
    .join(Person, Person.id == Membership.person_id)
    .join(SourceRecord, SourceRecord.id == Membership.source_record_id)
    .join(
        SourceRecordVersion,
        (SourceRecordVersion.source_record_id == SourceRecord.id)
        & (SourceRecordVersion.version == SourceRecord.version),
    )
    .outerjoin(DataKey, DataKey.owner_id == SourceRecord.id)
    .where(Membership.person_id.in_(bindparam("person_ids", expanding=True)))
    .order_by(Membership.person_id, SourceRecord.id)
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


def serialise(session: Session, tokens: Iterable[bytes]) -> None:
    """Hold every token until the transaction ends: two records that could be linked wait for each other.

    Locks are taken in one order by everybody, so waiting never becomes a deadlock. Meanwhile the scheme in force stays.
    """
    keys = sorted({int.from_bytes(token[:8], "big", signed=True) for token in tokens})
    session.execute(LOCKS, {"keys": keys, "switching": SWITCHING})


def find_person_ids(session: Session, tokens: Sequence[bytes], least: int = ENOUGH) -> list[UUID]:
    """Persons with a record whose shared blocking tokens are worth at least so much, most first cut; deterministic.

    A block over BLOCK_LIMIT is cut at its oldest records and counted in a metric: it never widens silently. Raises
    Unavailable where the index goes by other rules than these tokens: people would seem unknown.
    """
    limits = {"block_limit": BLOCK_LIMIT, "candidate_limit": CANDIDATE_LIMIT, "least": least}
    worth = {"last": TOKEN_BYTES - 1, "enough": ENOUGH}
    rows = session.execute(CANDIDATES, {"tokens": list(tokens), **limits, **worth}).all()
    if [row.scheme for row in rows[:1]] != [key_scheme()]:
        raise OtherScheme
    OVERSIZED_BLOCKS.inc(rows[0].blocks)
    return sorted(row.person_id for row in rows if row.person_id)


def scheme_in_force(session: Session) -> int | None:
    """The fingerprint of the rules the index is searched by."""
    return session.scalar(IN_FORCE)


def load_persons(session: Session, sealer: Sealer, person_ids: Collection[UUID]) -> dict[UUID, LoadedPerson]:
    """The persons with their members opened, data keys included, in one query; unreadable members are left out."""
    if not person_ids:
        return {}
    rows = session.execute(MEMBERS, {"person_ids": list(person_ids)}).all()
    found: dict[UUID, list[Row[*tuple[Any, ...]]]] = {}
    for row in rows:
        found.setdefault(row.person_id, []).append(row)
    return {key: _load(sealer, key, members) for key, members in found.items()}


def _load(sealer: Sealer, person_id: UUID, rows: Sequence[Row[*tuple[Any, ...]]]) -> LoadedPerson:
    members = tuple(loaded for row in rows if (loaded := _open(sealer, row)) is not None)
    return LoadedPerson(person_id, rows[0].revision, members, frozenset(row.id for row in rows))


def find_persons(
    session: Session, sealer: Sealer, tokens: Sequence[bytes], least: int = ENOUGH
) -> dict[UUID, LoadedPerson]:
    """`find_person_ids`, loaded."""
    return load_persons(session, sealer, find_person_ids(session, tokens, least)) if tokens else {}


def lock_persons(session: Session, person_ids: Collection[UUID]) -> Mapping[UUID, int]:
    """Hold persons against changes of membership until the transaction ends; returns their revisions.

    Who holds several waits for a chunk of a file to end first: it holds persons of one record after another.
    """
    if len(person_ids) > 1:
        session.execute(TOGETHER, {"switching": SWITCHING})
    query = select(Person.id, Person.revision).where(Person.id.in_(person_ids)).order_by(Person.id)
    rows = session.execute(query.with_for_update(key_share=True)).all()
    return {row.id: row.revision for row in rows}


def _open(sealer: Sealer, row: Row[*tuple[Any, ...]]) -> LoadedMember | None:
    if row.DataKey is None:
        return None
    try:
        content = from_bytes(sealer.unseal(row.DataKey, row.sealed, seal_context(row.version)))
    except SealError as error:
        _log.error("a source record can't be opened", exc_info=error)
        return None
    return LoadedMember(
        record_id=row.id,
        establishment_id=row.establishment_id,
        version=row.version,
        active=row.active,
        verified=row.verified,
        received_at=row.received_at,
        content=content,
        normalised=normalise(content.demographics),
    )
