"""Reading consents: the newest state of each, and the whole history of one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam, select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from consent_broker.consents.directives import Directive, Kind, Terms
from consent_broker.consents.models import Consent, ConsentVersion
from consent_broker.consents.terms import GRANTEE
from consent_broker.consents.vocabulary import TRANSITIONS, Status
from registry.database import now, table_of
from registry.errors import NotFound
from registry.identity.service import LIFE
from registry.questions import Question

_SAID = [one.name for one in fields(Terms)]
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
        said = {name: getattr(self.terms, name) for name in _SAID}
        revoked = self.status not in {Status.ACTIVE, Status.EXPIRED}
        return Directive(**said, consent_id=self.id, starts_at=self.starts_at, revoked=revoked)


class _Row(NamedTuple):
    """A consent with its newest version, as the tables have it."""

    id: UUID
    person_id: UUID
    kind: str
    establishment_id: UUID | None
    professional_id: UUID | None
    establishment_category: str | None
    establishment_sector: str | None
    treating: bool
    hides: bool
    version: int
    status: str
    categories: list[str] | None
    purposes: list[str] | None
    labels: list[str] | None
    sources: list[UUID] | None
    items: list[str] | None
    data_from: date | None
    data_until: date | None
    starts_at: datetime
    ends_at: datetime | None
    recorded_at: datetime
    reason: str | None


def _newest(which: ColumnElement[bool]) -> Select[Any]:
    """The consents with their newest versions, of those whose versions are meant; the newest change first."""
    newest = select(ConsentVersion).ext(distinct_on(ConsentVersion.consent_id)).where(which)
    version = newest.order_by(ConsentVersion.consent_id, ConsentVersion.version.desc()).subquery()
    consent = table_of(Consent).c
    columns = [consent[name] if name in consent else version.c[name] for name in _Row._fields]
    query = select(*columns).join(version, version.c.consent_id == Consent.id)
    return query.order_by(version.c.recorded_at.desc(), Consent.id.desc())


def _history() -> Select[Any]:
    """A person's ids with the consents under each; one that gave none is a row of its own.

    Each consent's newest version is looked up for itself: a person gave few, and a plan for many costs more to start.
    """
    life, consent, version = LIFE.cte("life"), table_of(Consent), table_of(ConsentVersion)
    newest = (
        select(version)
        .where(version.c.consent_id == consent.c.id)
        .order_by(version.c.version.desc())
        .limit(1)
        .lateral("newest")
    )
    columns = [consent.c[name] if name in consent.c else newest.c[name] for name in _Row._fields]
    given = life.outerjoin(consent.join(newest, true()), consent.c.person_id == life.c.id)
    query = select(life.c.deceased, *columns).select_from(given)
    return query.order_by(newest.c.recorded_at.desc(), consent.c.id.desc())


def _ended() -> Select[Any]:
    columns = (query := _newest(true())).selected_columns
    open_states = [status.value for status in TRANSITIONS]
    ended = query.where(columns.status.in_(open_states), columns.ends_at <= bindparam("ends_before"))
    return ended.limit(bindparam("most"))


# Every decision about access asks for a person's: they are made once.
OF_PERSONS = _newest(
    ConsentVersion.consent_id.in_(
        select(Consent.id).where(Consent.person_id.in_(bindparam("person_ids", expanding=True)))
    )
)
HISTORY = Question(_history())
OF_IDS = _newest(ConsentVersion.consent_id.in_(bindparam("consent_ids", expanding=True)))
ENDED = _ended()


def get_consent(session: Session, consent_id: UUID) -> ConsentState:
    """The newest state of a consent; raises NotFound."""
    states = list_states(session, consent_ids=[consent_id])
    if not states:
        raise NotFound("There is no such consent.", code="unknown-consent")
    return states[0]


@dataclass(frozen=True, slots=True)
class History:
    """What a decision about a person goes by: whether the person has died, and every consent of `list_consents`."""

    deceased: bool
    consents: list[ConsentState]


def history_of(session: Session, person_id: UUID) -> History:
    """Of a person and those it replaced, in one statement; nothing of an unknown person."""
    rows = HISTORY.ask(session, person_id=person_id)
    found = (_Row._make(consent) for _, *consent in rows)
    return History(any(deceased for deceased, *_ in rows), [_state(row) for row in found if row.id is not None])


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
    """Newest states: of these persons, else of these ids, else `limit` at most of those over by `ends_before`."""
    if person_ids is not None:
        rows = session.execute(OF_PERSONS, {"person_ids": list(person_ids)})
    elif consent_ids is not None:
        rows = session.execute(OF_IDS, {"consent_ids": list(consent_ids)})
    else:
        rows = session.execute(ENDED, {"ends_before": ends_before, "most": limit})
    return [_state(row) for row in rows]


def _state(row: _Row | Any) -> ConsentState:
    said: dict[str, Any] = {name: getattr(row, name) for name in GRANTEE}
    for name in SETS:
        found = getattr(row, name)
        said[name] = None if found is None else frozenset(found)
    terms = Terms(
        person_id=row.person_id,
        kind=Kind(row.kind),
        hides=row.hides,
        data_from=row.data_from,
        data_until=row.data_until,
        ends_at=row.ends_at,
        **said,
    )
    return ConsentState(
        id=row.id,
        version=row.version,
        status=Status(row.status),
        terms=terms,
        starts_at=row.starts_at,
        recorded_at=row.recorded_at,
        reason=row.reason,
    )
