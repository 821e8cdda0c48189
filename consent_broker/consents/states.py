"""Reading consents: the newest state of each, and the whole history of one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from consent_broker.consents.directives import Directive, Kind, Terms
from consent_broker.consents.models import Consent, ConsentVersion
from consent_broker.consents.terms import GRANTEE
from consent_broker.consents.vocabulary import TRANSITIONS, Status
from registry.database import now
from registry.errors import NotFound

SETS = ("categories", "purposes", "labels", "sources", "items")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState:
    """A consent as of its newest version."""

    id: UUID
    version: int
    status: Status
    terms: Terms
    starts_at: datetime
    recorded_at: datetime
    reason: str | None

    def in_force(self, moment: datetime) -> bool:
        """Whether it counts at that moment; its end is not part of it."""
        ends_at = self.terms.ends_at
        return self.status is Status.ACTIVE and self.starts_at <= moment and (ends_at is None or moment < ends_at)

    @property
    def directive(self) -> Directive:
        """What the decision function reads."""
        said = {one.name: getattr(self.terms, one.name) for one in fields(Terms)}
        revoked = self.status not in {Status.ACTIVE, Status.EXPIRED}
        return Directive(**said, consent_id=self.id, starts_at=self.starts_at, revoked=revoked)


def get_consent(session: Session, consent_id: UUID) -> ConsentState:
    """The newest state of a consent; raises NotFound."""
    states = list_states(session, consent_ids=[consent_id])
    if not states:
        raise NotFound("There is no such consent.", code="unknown-consent")
    return states[0]


def list_consents(session: Session, person_ids: Collection[UUID]) -> list[ConsentState]:
    """Every consent of a person (with the persons it replaced), newest change first."""
    return list_states(session, person_ids=person_ids)


def list_versions(session: Session, consent_id: UUID) -> Sequence[ConsentVersion]:
    """The whole history of a consent, oldest first."""
    query = select(ConsentVersion).where(ConsentVersion.consent_id == consent_id).order_by(ConsentVersion.version)
    return session.scalars(query).all()


def channels_of(session: Session, consent_ids: Collection[UUID]) -> dict[UUID, str]:
    """The road each consent that was given came by, from the evidence of the version that put it in force."""
    query = (
        select(ConsentVersion.consent_id, ConsentVersion.evidence["channel"].astext)
        .where(ConsentVersion.consent_id.in_(consent_ids), ConsentVersion.status == Status.ACTIVE.value)
        .order_by(ConsentVersion.version)
    )
    return {consent_id: channel or "" for consent_id, channel in session.execute(query)}


def count_with_consent(session: Session, person_ids: Collection[UUID]) -> int:
    """How many of these persons have a permission or an objection in force."""
    moment = now()
    states = list_states(session, person_ids=person_ids)
    return len({state.terms.person_id for state in states if state.in_force(moment)})


def list_states(
    session: Session,
    *,
    person_ids: Collection[UUID] | None = None,
    consent_ids: Sequence[UUID] | None = None,
    ends_before: datetime | None = None,
    limit: int | None = None,
) -> list[ConsentState]:
    newest = select(ConsentVersion).ext(distinct_on(ConsentVersion.consent_id))
    newest = newest.order_by(ConsentVersion.consent_id, ConsentVersion.version.desc())
    if consent_ids is not None:
        newest = newest.where(ConsentVersion.consent_id.in_(consent_ids))
    if person_ids is not None:
        owned = select(Consent.id).where(Consent.person_id.in_(person_ids))
        newest = newest.where(ConsentVersion.consent_id.in_(owned))
    version = newest.subquery()
    columns = version.c
    query = select(Consent, version).join(version, columns.consent_id == Consent.id)
    if ends_before is not None:
        open_states = [status.value for status in TRANSITIONS]
        query = query.where(columns.status.in_(open_states), columns.ends_at <= ends_before).limit(limit)
    rows = session.execute(query.order_by(columns.recorded_at.desc(), Consent.id.desc()))
    return [_state(row[0], row) for row in rows]


def _state(consent: Consent, version: Any) -> ConsentState:
    said: dict[str, Any] = {name: getattr(consent, name) for name in GRANTEE}
    for name in SETS:
        found = getattr(version, name)
        said[name] = None if found is None else frozenset(found)
    terms = Terms(
        person_id=consent.person_id,
        kind=Kind(consent.kind),
        hides=consent.hides,
        data_from=version.data_from,
        data_until=version.data_until,
        ends_at=version.ends_at,
        **said,
    )
    return ConsentState(
        id=consent.id,
        version=version.version,
        status=Status(version.status),
        terms=terms,
        starts_at=version.starts_at,
        recorded_at=version.recorded_at,
        reason=version.reason,
    )
