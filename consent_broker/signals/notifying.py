"""What happens to persons and consents, turned into notifications for those who asked and hold a record of the person.

Each is about one of the subscriber's own source records; no establishment learns of a patient it does not have.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from consent_broker.consents.decision import Kind
from consent_broker.consents.service import get_consent
from consent_broker.signals.subscriptions import Happening, listening, tell_subscribers
from consent_broker.signals.topics import CONSENT, LINK, MERGE, REVOCATION, SPLIT
from registry.identity.models import Membership, SourceRecord
from registry.identity.service import resolve_replaced
from registry.outbox import Payloads, subscriber


@subscriber("identity:person:linked")
def tell_of_links(session: Session, payloads: Payloads) -> None:
    """New records joined known persons: the establishment of each hears of that record, others of theirs."""
    new, told = aliased(SourceRecord), aliased(SourceRecord)
    here, beside = aliased(Membership), aliased(Membership)
    query = (
        select(told.id, told.establishment_id)
        .select_from(new)
        .join(here, here.source_record_id == new.id)
        .join(beside, beside.person_id == here.person_id)
        .join(told, told.id == beside.source_record_id)
        .where(new.id.in_([UUID(payload["source_record_id"]) for payload in payloads]))
        .where((told.id == new.id) | (told.establishment_id != new.establishment_id))
        .where(told.establishment_id.in_(listening(LINK)))
        .order_by(new.id, told.id)
    )
    _tell(session, LINK, [(row.id, row.establishment_id) for row in session.execute(query)])


@subscriber("identity:person:merged")
def tell_of_merges(session: Session, payloads: Payloads) -> None:
    """Two persons became one."""
    for payload in payloads:
        _tell(session, MERGE, _records(session, _persons(payload)))


@subscriber("identity:person:split")
@subscriber("identity:person:unlinked")
def tell_of_splits(session: Session, payloads: Payloads) -> None:
    """Records left a person, for one of their own or for another's."""
    for payload in payloads:
        _tell(session, SPLIT, _records(session, _persons(payload)))


@subscriber("consent:directive:granted")
def tell_of_consents(session: Session, payloads: Payloads) -> None:
    """A permission came into force: whom it is given to hears of it, and nobody else."""
    for payload in payloads:
        _tell_grantee(session, CONSENT, UUID(payload["consent_id"]))


@subscriber("consent:directive:revoked")
def tell_of_revocations(session: Session, payloads: Payloads) -> None:
    """A permission was taken back."""
    for payload in payloads:
        _tell_grantee(session, REVOCATION, UUID(payload["consent_id"]))


def _tell(session: Session, topic: str, records: Iterable[tuple[UUID, UUID]]) -> None:
    tell_subscribers(session, topic, [Happening(place, record, f"Patient/{record}") for record, place in records])


def _tell_grantee(session: Session, topic: str, consent_id: UUID) -> None:
    terms = get_consent(session, consent_id).terms
    if terms.kind is not Kind.PERMISSION or terms.establishment_id is None:
        return
    records = _records(session, [resolve_replaced(session, terms.person_id)])
    own = [record for record, place in records if place == terms.establishment_id]
    focus = f"Consent/{consent_id}"
    tell_subscribers(session, topic, [Happening(terms.establishment_id, record, focus) for record in own[:1]])


def _persons(payload: Mapping[str, Any]) -> list[UUID]:
    return [UUID(payload["person_id"]), UUID(payload["other_person_id"])]


def _records(session: Session, persons: Collection[UUID]) -> Sequence[tuple[UUID, UUID]]:
    """The source records of those persons today, with the establishment of each."""
    query = (
        select(SourceRecord.id, SourceRecord.establishment_id)
        .join(Membership, Membership.source_record_id == SourceRecord.id)
        .where(Membership.person_id.in_(persons))
        .order_by(SourceRecord.id)
    )
    return [(row.id, row.establishment_id) for row in session.execute(query)]
