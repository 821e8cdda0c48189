"""The persons a whole chunk may be about: one search for all its tokens, and the chunk's own records as they join.

The limits are those of `candidates.find_persons`: a block is cut at its oldest records, and those sharing most keys
come first.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from matching.blocking import ENOUGH, MORE
from matching.cluster import Member, likely
from matching.key_scheme import key_scheme
from matching.normalise import Normalised
from registry.identity.batch import arrays
from registry.identity.batch.preparing import Prepared, Tokens
from registry.identity.candidates import (
    BLOCK_LIMIT,
    CANDIDATE_LIMIT,
    OVERSIZED_BLOCKS,
    OtherScheme,
    open_newest,
    scheme_in_force,
)
from registry.identity.engine import Engine, document_tokens, worth
from registry.identity.models import Membership, Person, SourceRecord
from registry.sealing import Sealer

MOST_REMEMBERED = 60_000
UUID_BYTES = 16
BLOCKS = text("""
SELECT wanted.token, block.records
FROM unnest(CAST(:tokens AS bigint[])) AS wanted (token)
CROSS JOIN LATERAL (
  SELECT string_agg(uuid_send(source_record_id), CAST('' AS bytea) ORDER BY source_record_id) AS records FROM (
    SELECT source_record_id FROM blocking_tokens
    WHERE token = wanted.token ORDER BY source_record_id LIMIT :block_limit
  ) AS oldest
) AS block
WHERE block.records IS NOT NULL
""")
"""The blocks of many tokens, asked for in their order as they were written in it: the index is gone through once.

Ids come as bytes: a block has up to two hundred, and making objects of them took longer than finding them.
"""
AROUND = (
    select(
        Membership.person_id,
        Person.revision,
        SourceRecord.id,
        SourceRecord.version,
        SourceRecord.verified,
        SourceRecord.establishment_id,
    )
    .join(Person, Person.id == Membership.person_id)
    .join(SourceRecord, SourceRecord.id == Membership.source_record_id)
    .where(
        Membership.person_id.in_(
            select(Membership.person_id).where(arrays.among_uuids(Membership.source_record_id, "records")).distinct()
        )
    )
    .order_by(Membership.person_id, SourceRecord.id)
)


class Memory:
    """Versions of records this process has seen, normalised, the ones not used for long forgotten first.

    A record goes by the bytes of its id, here and in `Neighbours`: a UUID is hashed and compared in Python.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._seen: OrderedDict[tuple[bytes, int], Normalised] = OrderedDict()

    def get(self, record: bytes, version: int) -> Normalised | None:
        """What that version says, if it is remembered."""
        found = self._seen.get((record, version))
        if found is not None:
            self._seen.move_to_end((record, version))
        return found

    def put(self, record: bytes, version: int, said: Normalised) -> None:
        """Remember a version."""
        self._seen[(record, version)] = said
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)


@dataclass(slots=True)
class Neighbours:
    """Persons and their members around a chunk, growing as its records are placed.

    `repeated` are the tokens that several records of the chunk have: what the others find is in `blocks` already.
    """

    blocks: dict[int, list[bytes]]
    repeated: frozenset[int]
    persons: dict[UUID, list[Member]] = field(default_factory=lambda: defaultdict(list))
    person_of: dict[bytes, UUID] = field(default_factory=dict)
    said: dict[bytes, Normalised] = field(default_factory=dict)
    revisions: dict[UUID, int] = field(default_factory=dict)

    def near(self, tokens: Iterable[int], documents: Collection[int] = ()) -> dict[bytes, int]:
        """The records that share enough of these tokens, and what it is worth, by the cuts of the online search."""
        shared: dict[bytes, int] = {}
        for token in tokens:
            if records := self.blocks.get(token):
                counts = MORE if token in documents else worth(token)
                for record in records[:BLOCK_LIMIT]:
                    shared[record] = shared.get(record, 0) + counts
        found = {record: count for record, count in shared.items() if count >= ENOUGH}
        if len(found) > CANDIDATE_LIMIT:
            first = sorted(found, key=lambda one: (-found[one], one))[:CANDIDATE_LIMIT]
            found = {record: found[record] for record in first}
        return found

    def around(self, engine: Engine, one: Prepared) -> dict[UUID, Sequence[Member]]:
        """The persons that one record's tokens find and that are worth looking at, as `candidates.find_likely`."""
        known = [token for token in one.tokens if token in self.blocks]
        if not known:
            return {}
        if cut := sum([len(self.blocks[token]) >= BLOCK_LIMIT for token in known]):
            OVERSIZED_BLOCKS.inc(cut)
        near = self.near(known, document_tokens(engine.sealer, one.normalised))
        first, rest = dict[bytes, Normalised](), dict[bytes, Normalised]()
        for record, shared in near.items():
            if said := self.said.get(record):
                (first if shared >= MORE else rest)[record] = said
        found = likely(engine.model, one.normalised, first, lambda: rest)
        return {person: self.persons[person] for person in sorted({self.person_of[record] for record in found})}

    def add(self, one: Prepared, member: Member, person_id: UUID) -> None:
        """A record of the chunk was placed: those after it find it."""
        for token in self.repeated.intersection(one.tokens):
            self.blocks.setdefault(token, []).append(one.record)
        self.person_of[one.record] = person_id
        self.said[one.record] = one.normalised
        self.persons[person_id].append(member)


def find_neighbours(
    session: Session, sealer: Sealer, memory: Memory, chunk: Sequence[Prepared], tokens: Tokens
) -> Neighbours:
    """Search for all of a chunk at once and open whom it finds; raises Unavailable where the index has other rules."""
    if scheme_in_force(session) != key_scheme():
        raise OtherScheme
    wanted = {"tokens": tokens.distinct, "block_limit": BLOCK_LIMIT}
    blocks = {token: _parted(bytes(records)) for token, records in session.execute(BLOCKS, wanted)}
    found = Neighbours(blocks, tokens.repeated)
    records = {record for one in chunk for record in found.near(one.tokens)}
    if records:
        _load(session, sealer, memory, found, records)
    return found


def _parted(records: bytes) -> list[bytes]:
    return [records[at : at + UUID_BYTES] for at in range(0, len(records), UUID_BYTES)]


def _load(session: Session, sealer: Sealer, memory: Memory, found: Neighbours, records: Collection[bytes]) -> None:
    rows = session.execute(AROUND, {"records": arrays.uuids(records)}).all()
    unknown = [row.id.bytes for row in rows if memory.get(row.id.bytes, row.version) is None]
    if unknown:
        for (record_id, version), said in open_newest(session, sealer, arrays.uuids(unknown)).items():
            memory.put(record_id.bytes, version, said.normalised)
    for row in rows:
        record = row.id.bytes
        found.revisions[row.person_id] = row.revision
        found.person_of[record] = row.person_id
        normalised = memory.get(record, row.version)
        if normalised is not None:
            found.said[record] = normalised
            member = Member(normalised, row.verified, str(row.establishment_id))
            found.persons[row.person_id].append(member)
