"""A registration on its way in: locked, prepared, compared with what is known, and written as a version."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from matching.blocking import blocking_keys, lock_keys
from matching.cluster import Member
from matching.key_scheme import key_scheme
from matching.normalise import Normalised, normalise
from matching.records import DocumentType
from registry.database import new_id, now, table_of
from registry.identity import tokens
from registry.identity.candidates import serialise
from registry.identity.contents import Content, from_bytes, local_domain, seal_context, to_bytes
from registry.identity.engine import Engine, blind_keys, number_of
from registry.identity.models import memberships, source_record_versions, source_records
from registry.identity.mothers import note_mother, with_mother
from registry.sealing import DataKey, Sealer, SealError

FIND = (
    select(
        source_records.c.id,
        source_records.c.version,
        source_records.c.content_token,
        source_records.c.received_at,
        func.coalesce(source_records.c.said_at, source_records.c.received_at).label("said_at"),
        source_records.c.replaced_by,
        memberships.c.person_id,
    )
    .join(memberships, memberships.c.source_record_id == source_records.c.id)
    .where(
        source_records.c.establishment_id == bindparam("establishment_id"),
        source_records.c.local_token == bindparam("local_token"),
    )
)
ADD = insert(source_records)
REVISE = update(source_records).where(source_records.c.id == bindparam("record_id"))
CONFIRM = (
    update(source_records).where(source_records.c.id == bindparam("record_id")).values(said_at=bindparam("moment"))
)
ADD_VERSION = insert(source_record_versions)
ADD_KEY = insert(table_of(DataKey))
SEALED = select(source_record_versions.c.sealed).where(
    source_record_versions.c.source_record_id == bindparam("record_id"),
    source_record_versions.c.version == bindparam("version"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a record system hands in; `expected_version` 0 means that the record must be new.

    `replaced_by` is the record of the same establishment that stands for this one.
    """

    establishment_id: UUID
    client_id: str
    content: Content
    active: bool = True
    replaced_by: UUID | None = None
    token_id: str | None = None
    expected_version: int | None = None
    said_at: datetime | None = None
    """When the record system last changed the record, as files and HL7 v2 say; None for what is said now."""


@dataclass(frozen=True, slots=True)
class Known:
    """The newest version of a record already here, and whose it is."""

    id: UUID
    version: int
    content_token: bytes
    received_at: datetime
    said_at: datetime
    replaced_by: UUID | None
    person_id: UUID


@dataclass(frozen=True, slots=True)
class Arrival:
    """A registration prepared: its record found or named, its facts normalised, its blocking keys blind."""

    registration: Registration
    record_id: UUID
    local_token: bytes
    content_token: bytes
    normalised: Normalised
    tokens: list[int]
    known: Known | None

    @property
    def version(self) -> int:
        """The version this registration becomes if it says anything new."""
        return self.known.version + 1 if self.known else 1

    @property
    def unchanged(self) -> bool:
        """Whether the newest version already says exactly this."""
        return self.known is not None and self.known.content_token == self.content_token

    @property
    def stale(self) -> bool:
        """Whether what is kept was said later than this."""
        said_at = self.registration.said_at
        return self.known is not None and said_at is not None and said_at < self.known.said_at

    def member(self) -> Member:
        """The record as the engine judges it; nothing of a new version is verified yet."""
        return Member(self.normalised, establishment=str(self.registration.establishment_id))


def receive(session: Session, engine: Engine, registration: Registration) -> Arrival:
    """Take the locks of the record and of its lock keys, and only then see whether it is known."""
    content = with_mother(session, engine.sealer, registration.establishment_id, registration.content)
    registration = replace(registration, content=content)
    normalised = normalise(content.demographics)
    local_token = engine.sealer.blind(local_domain(registration.establishment_id), content.local_number)
    serialise(session, [number_of(local_token), *blind_keys(engine.sealer, lock_keys(normalised))])
    known = _find(session, registration.establishment_id, local_token)
    record_id = known.id if known else new_id()
    said = f"{registration.active}:{to_bytes(content).decode()}"
    if registration.replaced_by is not None:
        said = f"{registration.replaced_by}:{said}"
    return Arrival(
        registration=registration,
        record_id=record_id,
        local_token=local_token,
        content_token=engine.sealer.blind(f"content:{record_id}", said),
        normalised=normalised,
        tokens=blind_keys(engine.sealer, blocking_keys(normalised)),
        known=known,
    )


def look_again(session: Session, arrival: Arrival) -> Arrival:
    """The arrival with its record as it is kept now: a steward may have moved it since it was received."""
    return replace(arrival, known=_find(session, arrival.registration.establishment_id, arrival.local_token))


def confirm(session: Session, arrival: Arrival) -> None:
    """Keep that the same was said again later: what was said in between is older from now on."""
    said_at = arrival.registration.said_at or now()
    if arrival.known is not None and said_at > arrival.known.said_at:
        session.execute(CONFIRM, {"record_id": arrival.record_id, "moment": said_at})


def store(session: Session, engine: Engine, arrival: Arrival, moment: datetime) -> None:
    """Write the new version, point the record at it, and replace its blocking tokens."""
    _point(session, arrival, moment)
    if arrival.known is not None:
        tokens.take_out(session, arrival.record_id, _former_tokens(session, engine.sealer, arrival.known))
    version = {
        "source_record_id": arrival.record_id,
        "version": arrival.version,
        "sealed": _seal(session, engine.sealer, arrival),
        "active": arrival.registration.active,
        "replaced_by": arrival.registration.replaced_by,
        "client_id": arrival.registration.client_id,
        "received_at": moment,
    }
    session.execute(ADD_VERSION, version)
    said = arrival.registration
    if said.content.mother_number is not None:
        note_mother(session, engine.sealer, said.establishment_id, arrival.record_id, said.content.mother_number)
    tokens.write(session, arrival.record_id, arrival.tokens)


def _former_tokens(session: Session, sealer: Sealer, known: Known) -> list[int]:
    """What the version before is found by; nothing where it can't be opened any more.

    Then the record stays found by what it said, and is judged by what it says now, until the index is rekeyed.
    """
    sealed = session.scalars(SEALED, {"record_id": known.id, "version": known.version}).one()
    try:
        content = from_bytes(sealer.open(session, known.id, sealed, seal_context(known.version)))
    except SealError:
        return []
    return blind_keys(sealer, blocking_keys(normalise(content.demographics)))


def _seal(session: Session, sealer: Sealer, arrival: Arrival) -> bytes:
    plaintext, context = to_bytes(arrival.registration.content), seal_context(arrival.version)
    if arrival.known is not None:
        return sealer.seal(session, arrival.record_id, plaintext, context)
    anew = sealer.seal_anew(arrival.record_id, plaintext, context)
    key = {"owner_id": arrival.record_id, "master_key_id": anew.master_key_id, "wrapped": anew.wrapped}
    session.execute(ADD_KEY, key)
    return anew.sealed


def _point(session: Session, arrival: Arrival, moment: datetime) -> None:
    newest = {
        "version": arrival.version,
        "content_token": arrival.content_token,
        "scheme": key_scheme(),
        "active": arrival.registration.active,
        "replaced_by": arrival.registration.replaced_by,
        "verified": False,
        "deceased_reported": arrival.registration.content.deceased is not None,
        "next_check_at": moment if _has_dni(arrival.normalised) else None,
        "received_at": moment,
        "said_at": arrival.registration.said_at,
    }
    if arrival.known is not None:
        session.execute(REVISE, {"record_id": arrival.record_id, **newest})
        return
    key = {
        "id": arrival.record_id,
        "establishment_id": arrival.registration.establishment_id,
        "local_token": arrival.local_token,
        "created_at": moment,
    }
    session.execute(ADD, key | newest)


def _has_dni(record: Normalised) -> bool:
    return any(document.type is DocumentType.DNI for document in record.documents)


def _find(session: Session, establishment_id: UUID, local_token: bytes) -> Known | None:
    key = {"establishment_id": establishment_id, "local_token": local_token}
    row = session.execute(FIND, key).one_or_none()
    return Known(*row) if row else None
