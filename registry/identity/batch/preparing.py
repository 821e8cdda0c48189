"""What can be done for a record before anybody is waited for: facts normalised, tokens blinded, content sealed, and the
rows written that do not depend on whose record it turns out to be.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from struct import Struct
from typing import NamedTuple
from uuid import UUID

from matching.blocking import blocking_keys
from matching.cluster import Member
from matching.key_scheme import key_scheme
from matching.normalise import Normalised, normalise
from matching.records import DocumentType
from registry.database import new_id
from registry.identity.arrivals import Registration
from registry.identity.batch import arrays
from registry.identity.batch import copying as as_
from registry.identity.contents import from_bytes, local_domain, seal_context, to_bytes
from registry.identity.engine import Engine, blind_keys

ROWS_AT_ONCE = 1000
"""Rows of tokens that go to the database at once: no more than a socket holds, so that nobody waits for it to read."""

OWN: Mapping[str, Sequence[str]] = {
    "source_records": (
        "id", "establishment_id", "local_token", "version", "content_token", "scheme", "active", "verified",
        "deceased_reported", "deceased_confirmed", "said_at", "next_check_at", "created_at", "received_at",
    ),
    "data_keys": ("owner_id", "master_key_id", "wrapped"),
    "source_record_versions": ("source_record_id", "version", "sealed", "active", "client_id", "received_at"),
    "blocking_tokens": ("token", "source_record_id", "scheme"),
}  # fmt: skip
"""The columns written of what a record says, whosever it is, in the order in which rows may refer to each other.

A moment at the end of a row is put there by whoever registers it.
"""


class Written(NamedTuple):
    """A new record's own rows, in binary COPY format; `record` and `version` lack the moment, which comes last.

    Those of its tokens are made by whoever writes a chunk, in the order of all its tokens.
    """

    record: bytes
    key: bytes
    version: bytes


class Prepared(NamedTuple):
    """A registration with all that becomes of it if nobody knows its local number yet.

    What it says is kept as it will be sealed, since it is seldom asked for again; `due` is whether the identity
    registry has it to check, `sender` who sent it as fields of an audit row. Cheap to send to another process.
    """

    establishment_id: UUID
    client_id: str
    token_id: str | None
    active: bool
    said_at: datetime | None
    plaintext: bytes
    record: bytes
    """The id the record has if it is new; its bytes, which are cheaper to send and to look up."""

    local_token: bytes
    normalised: Normalised
    tokens: tuple[int, ...]
    due: bool
    names_mother: bool
    """Whether it gives its patient's mother's number, which is looked up: such a one is registered by itself."""
    sender: bytes
    written: Written

    @property
    def record_id(self) -> UUID:
        """The id the record has if it is new."""
        return UUID(bytes=self.record)

    @property
    def registration(self) -> Registration:
        """The registration again."""
        return Registration(
            establishment_id=self.establishment_id,
            client_id=self.client_id,
            token_id=self.token_id,
            content=from_bytes(self.plaintext),
            active=self.active,
            said_at=self.said_at,
        )

    @property
    def said(self) -> str:
        """What the content's token is made of."""
        return _said(self.plaintext, active=self.active)

    def member(self) -> Member:
        """The record as the engine judges it."""
        return Member(self.normalised, establishment=_name(self.establishment_id))


class Tokens(NamedTuple):
    """The tokens of a run of records, in the order of their index: it is gone through once, not at random."""

    distinct: str
    """Each once, as an array."""

    repeated: frozenset[int]
    """Those that several records of the run have."""

    rows: list[bytes]
    """The rows of all, in binary COPY format, some thousands at a time."""


class Batch(NamedTuple):
    """Registrations prepared together, and their tokens for whoever finds that all of them are new."""

    prepared: list[Prepared]
    tokens: Tokens


def prepare_batch(engine: Engine, registrations: Iterable[Registration]) -> Batch:
    """Prepare registrations as one batch."""
    prepared = prepare(engine, registrations)
    return Batch(prepared, gather_tokens(prepared))


def gather_tokens(run: Sequence[Prepared]) -> Tokens:
    """The tokens of a run."""
    times = Counter([token for one in run for token in one.tokens])
    write, scheme = _TOKEN.pack, key_scheme()
    rows = sorted([write(3, 8, token, 16, one.record, 4, scheme) for one in run for token in one.tokens])
    return Tokens(
        distinct=arrays.numbers(sorted(times)),
        repeated=frozenset([token for token, count in times.items() if count > 1]),
        rows=[b"".join(rows[start : start + ROWS_AT_ONCE]) for start in range(0, len(rows), ROWS_AT_ONCE)],
    )


def prepare(engine: Engine, registrations: Iterable[Registration]) -> list[Prepared]:
    """Prepare registrations, in their order; no database is asked, so that another process may do it."""
    return [_prepare(engine, one) for one in registrations]


def _prepare(engine: Engine, said: Registration) -> Prepared:
    content, record_id, sealer = said.content, new_id(), engine.sealer
    normalised, plaintext = normalise(content.demographics), to_bytes(content)
    tokens = tuple(blind_keys(sealer, blocking_keys(normalised)))
    local_token = sealer.blind(local_domain(said.establishment_id), content.local_number)
    return Prepared(
        establishment_id=said.establishment_id,
        client_id=said.client_id,
        token_id=said.token_id,
        active=said.active,
        said_at=said.said_at,
        plaintext=plaintext,
        record=record_id.bytes,
        local_token=local_token,
        normalised=normalised,
        tokens=tokens,
        due=any(document.type is DocumentType.DNI for document in normalised.documents),
        names_mother=content.mother_number is not None,
        sender=_sender(said.establishment_id, said.client_id, said.token_id),
        written=_write(engine, said, record_id, local_token, plaintext),
    )


def _write(engine: Engine, said: Registration, record_id: UUID, local_token: bytes, plaintext: bytes) -> Written:
    sealed = engine.sealer.seal_anew(record_id, plaintext, seal_context(1))
    content_token = engine.sealer.blind(f"content:{record_id}", _said(plaintext, active=said.active))
    key, first, scheme, active = as_.uuid(record_id), as_.integer(1), as_.integer(key_scheme()), as_.truth(said.active)
    record = as_.row(
        14, key, as_.uuid(said.establishment_id), as_.octets(local_token), first, as_.octets(content_token), scheme,
        active, _FALSE, as_.truth(said.content.deceased is not None), _FALSE, as_.moment(said.said_at),
    )  # fmt: skip
    return Written(
        record=record,
        key=as_.row(3, key, as_.text(sealed.master_key_id), as_.octets(sealed.wrapped)),
        version=as_.row(6, key, first, as_.octets(sealed.sealed), active, as_.text(said.client_id)),
    )


def _said(plaintext: bytes, *, active: bool) -> str:
    return f"{active}:{plaintext.decode()}"


@lru_cache(maxsize=1024)
def _sender(establishment_id: UUID, client_id: str, token_id: str | None) -> bytes:
    return as_.uuid(establishment_id) + as_.text(client_id) + as_.text(token_id)


_TOKEN = Struct(">hiqi16sii")
"""A row of `blocking_tokens`: how many fields, then each one's length and its bytes."""
_FALSE = as_.truth(False)
_name = lru_cache(maxsize=1024)(str)
