"""Reading source records: the newest and the former versions, by the establishment they belong to."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from matching.normalise import Normalised, normalise
from registry.identity.candidates import LoadedMember
from registry.identity.contents import from_bytes, local_domain, seal_context
from registry.identity.models import Membership, SourceRecord, SourceRecordVersion, Verification
from registry.sealing import DataKey, Sealer, SealError

OwnRow = tuple[SourceRecord, SourceRecordVersion, UUID, DataKey]


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """A version of a source record and the person the record is about today."""

    member: LoadedMember
    person_id: UUID


def list_versions(session: Session, sealer: Sealer, record_id: UUID) -> list[Normalised]:
    """All that a record ever said, the oldest first; raises SealError for altered bytes."""
    query = (
        select(SourceRecordVersion, DataKey)
        .join(DataKey, DataKey.owner_id == SourceRecordVersion.source_record_id)
        .where(SourceRecordVersion.source_record_id == record_id)
        .order_by(SourceRecordVersion.version)
    )
    return [
        normalise(from_bytes(sealer.unseal(key, said.sealed, seal_context(said.version))).demographics)
        for said, key in session.execute(query)
    ]


def list_checks(session: Session, records: Collection[UUID]) -> dict[UUID, str]:
    """What the identity registry last said of the newest version of each record; no entry for one not checked yet."""
    newest = select(Verification.source_record_id, Verification.status).ext(distinct_on(Verification.source_record_id))
    query = (
        newest.join(
            SourceRecord,
            (SourceRecord.id == Verification.source_record_id) & (SourceRecord.version == Verification.version),
        )
        .where(Verification.source_record_id.in_(records))
        .order_by(Verification.source_record_id, Verification.checked_at.desc(), Verification.id.desc())
    )
    return {row.source_record_id: row.status for row in session.execute(query)}


def find_own_id(session: Session, sealer: Sealer, establishment_id: UUID, number: str) -> UUID | None:
    """The record of an establishment's own number; None for an unknown one."""
    token = sealer.blind(local_domain(establishment_id), number)
    query = select(SourceRecord.id).where(
        SourceRecord.establishment_id == establishment_id, SourceRecord.local_token == token
    )
    return session.scalar(query)


def find_own_record(
    session: Session, sealer: Sealer, establishment_id: UUID, record_id: UUID, version: int | None = None
) -> OwnRecord | None:
    """A version of an establishment's record, the newest unless named; None where there is none or it is another's.

    Raises SealError for altered bytes; a record whose data key was destroyed is not there any more.
    """
    wanted = SourceRecord.version if version is None else version
    query = _own_versions(establishment_id, record_id).where(SourceRecordVersion.version == wanted)
    row = session.execute(query).one_or_none()
    return _opened(sealer, row) if row else None


def list_version_moments(session: Session, record_id: UUID) -> Sequence[tuple[int, datetime]]:
    """The number of each version of a record and when it was received, newest first."""
    query = select(SourceRecordVersion.version, SourceRecordVersion.received_at)
    query = query.where(SourceRecordVersion.source_record_id == record_id).order_by(SourceRecordVersion.version.desc())
    return [(row.version, row.received_at) for row in session.execute(query)]


def list_own_versions(
    session: Session, sealer: Sealer, establishment_id: UUID, record_id: UUID, numbers: Collection[int] | None = None
) -> list[OwnRecord]:
    """The versions of an establishment's record with those numbers, or every one; newest first.

    Empty like `find_own_record` is None.
    """
    query = _own_versions(establishment_id, record_id).order_by(SourceRecordVersion.version.desc())
    query = query if numbers is None else query.where(SourceRecordVersion.version.in_(numbers))
    return [_opened(sealer, row) for row in session.execute(query)]


@dataclass(frozen=True, slots=True)
class Changes:
    """Records received, or put with another person, since a moment (None: all), of those there were at another."""

    since: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class OwnPage:
    """A page of an establishment's records: how many were looked at, the last one's token, and those that changed.

    `unreadable` are those of them whose bytes were altered.
    """

    seen: int
    last: bytes | None
    records: Sequence[OwnRecord]
    unreadable: Sequence[UUID] = ()


def count_own(session: Session, establishment_id: UUID, until: datetime) -> int:
    """How many records an establishment had at a moment."""
    mine = (SourceRecord.establishment_id == establishment_id) & (SourceRecord.created_at <= until)
    return session.scalar(select(func.count()).select_from(SourceRecord).where(mine)) or 0


def list_own_page(
    session: Session, sealer: Sealer, establishment_id: UUID, changes: Changes, *, after: bytes | None, size: int
) -> OwnPage:
    """The next `size` of an establishment's records in the order of their tokens; of those, the ones that changed.

    A page costs the same however few changed. A record whose data key was destroyed is not there any more.
    """
    page = select(SourceRecord.id, SourceRecord.local_token).where(
        SourceRecord.establishment_id == establishment_id, SourceRecord.created_at <= changes.until
    )
    page = page.where(SourceRecord.local_token > after) if after else page
    rows = session.execute(page.order_by(SourceRecord.local_token).limit(size)).all()
    keys = [row.id for row in rows]
    query = _newest(establishment_id).where(SourceRecord.id.in_(keys)).order_by(SourceRecord.local_token)
    if changes.since is not None:
        query = query.where(or_(SourceRecord.received_at >= changes.since, Membership.since >= changes.since))
    records, unreadable = list[OwnRecord](), list[UUID]()
    for row in session.execute(query) if keys else ():
        try:
            records.append(_opened(sealer, row))
        except SealError:
            unreadable.append(row[0].id)
    return OwnPage(len(keys), rows[-1].local_token if rows else None, records, unreadable)


def _newest(establishment_id: UUID) -> Select[*OwnRow]:
    versions = _all_versions().where(SourceRecord.establishment_id == establishment_id)
    return versions.where(SourceRecordVersion.version == SourceRecord.version)


def _own_versions(establishment_id: UUID, record_id: UUID) -> Select[*OwnRow]:
    return _all_versions().where(SourceRecord.id == record_id, SourceRecord.establishment_id == establishment_id)


def _all_versions() -> Select[*OwnRow]:
    return (
        select(SourceRecord, SourceRecordVersion, Membership.person_id, DataKey)
        .join(Membership, Membership.source_record_id == SourceRecord.id)
        .join(SourceRecordVersion, SourceRecordVersion.source_record_id == SourceRecord.id)
        .join(DataKey, DataKey.owner_id == SourceRecord.id)
    )


def _opened(sealer: Sealer, row: Row[*OwnRow]) -> OwnRecord:
    record, said, person_id, key = row
    content = from_bytes(sealer.unseal(key, said.sealed, seal_context(said.version)))
    member = LoadedMember(
        record_id=record.id,
        establishment_id=record.establishment_id,
        version=said.version,
        active=said.active,
        verified=record.verified and said.version == record.version,
        received_at=said.received_at,
        content=content,
        normalised=normalise(content.demographics),
        replaced_by=said.replaced_by,
    )
    return OwnRecord(member, person_id)
