"""Recording audit events, and reading them for the person they are about (Ley 30024: the patient sees who accessed)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, literal, select, tuple_
from sqlalchemy.orm import Session

from registry.audit.event import Event
from registry.audit.models import AuditEvent
from registry.database import new_id, now, table_of
from registry.questions import Question
from registry.telemetry import current_request_id

_FIELDS = [field.name for field in fields(Event)]
_RECORD = Question(insert(table_of(AuditEvent)), ["id", "recorded_at", "request_id", *_FIELDS])


def record(session: Session, event: Event) -> UUID:
    """Write the event in the caller's transaction and return its id: both commit or neither does."""
    values = {name: getattr(event, name) for name in _FIELDS} | {"detail": dict(event.detail)}
    row = AuditEvent(id=new_id(), request_id=current_request_id(), **values)
    session.add(row)
    return row.id


def record_now(session: Session, *events: Event) -> None:
    """`record` of each, written at once: on the busiest paths objects of the unit of work cost three times as much."""
    moment, request_id = now(), current_request_id()
    written = ({name: getattr(event, name) for name in _FIELDS} | {"detail": dict(event.detail)} for event in events)
    _RECORD.tell_each(
        session, [row | {"id": new_id(), "recorded_at": moment, "request_id": request_id} for row in written]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events: about `person_ids` (the person and those it replaced), of these actions, in this time and place.

    Of the actions in `refusals_of` only what did not succeed is meant.
    """

    person_ids: Sequence[UUID]
    actions: Sequence[str] = ()
    refusals_of: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    establishment_id: UUID | None = None
    actor_role: str | None = None
    without_consents: frozenset[UUID] = frozenset()
    without_places: frozenset[UUID] = frozenset()
    """What whoever looks is not shown: events under these consents, or that name these establishments."""

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as SQL."""
        found: list[ColumnElement[bool]] = [AuditEvent.person_id.in_(self.person_ids)]
        if self.actions or self.refusals_of:
            refused = AuditEvent.action.in_(self.refusals_of) & (AuditEvent.outcome != "success")
            found.append(AuditEvent.action.in_(self.actions) | refused)
        if self.since:
            found.append(AuditEvent.recorded_at >= self.since)
        if self.until:
            found.append(AuditEvent.recorded_at < self.until)
        if self.establishment_id:
            found.append(AuditEvent.establishment_id == self.establishment_id)
        if self.actor_role:
            found.append(AuditEvent.actor_role == self.actor_role)
        named = (
            (AuditEvent.consent_id, self.without_consents),
            *((column, self.without_places) for column in (AuditEvent.establishment_id, AuditEvent.holder_id)),
        )
        found += [column.is_(None) | column.not_in(ids) for column, ids in named if ids]
        return found


class Position(NamedTuple):
    """Where an event stands in the order of time; events of one moment stand in the order of their ids."""

    recorded_at: datetime
    id: UUID


def position_of(session: Session, selection: Selection, event_id: UUID) -> Position | None:
    """Where one of the selection's events stands; None for any other id."""
    query = select(AuditEvent.recorded_at, AuditEvent.id).where(AuditEvent.id == event_id, *selection.conditions())
    row = session.execute(query).one_or_none()
    return Position(*row) if row else None


def list_for_person(
    session: Session,
    selection: Selection,
    *,
    before: Position | None = None,
    after: Position | None = None,
    limit: int = 200,
) -> list[AuditEvent]:
    """The selection's events, newest first: the newest of all, those right `before` a position, or right `after` it."""
    order = tuple_(AuditEvent.recorded_at, AuditEvent.id)
    query = select(AuditEvent).where(*selection.conditions()).limit(limit)
    if after:
        query = query.where(order > tuple_(*map(literal, after))).order_by(AuditEvent.recorded_at, AuditEvent.id)
        return list(reversed(session.scalars(query).all()))
    if before:
        query = query.where(order < tuple_(*map(literal, before)))
    return list(session.scalars(query.order_by(AuditEvent.recorded_at.desc(), AuditEvent.id.desc())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Doings:
    """Which of an establishment's own events: of these actions, about these persons if any are named, in a time."""

    establishment_id: UUID
    actions: Sequence[str]
    person_ids: Sequence[UUID] | None = None
    since: datetime | None = None
    until: datetime | None = None
    outcomes: Sequence[str] = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as SQL."""
        found: list[ColumnElement[bool]] = [
            AuditEvent.establishment_id == self.establishment_id,
            AuditEvent.action.in_(self.actions),
        ]
        if self.person_ids is not None:
            found.append(AuditEvent.person_id.in_(self.person_ids))
        if self.since:
            found.append(AuditEvent.recorded_at >= self.since)
        if self.until:
            found.append(AuditEvent.recorded_at < self.until)
        if self.outcomes:
            found.append(AuditEvent.outcome.in_(self.outcomes))
        return found


def list_doings(session: Session, doings: Doings, *, offset: int, limit: int) -> list[AuditEvent]:
    """An establishment's own events, newest first, a page of them."""
    query = select(AuditEvent).where(*doings.conditions()).offset(offset).limit(limit)
    return list(session.scalars(query.order_by(AuditEvent.recorded_at.desc(), AuditEvent.id.desc())))


def find_doing(session: Session, doings: Doings, event_id: UUID) -> AuditEvent | None:
    """One of an establishment's own events; None for any other id."""
    return session.scalar(select(AuditEvent).where(AuditEvent.id == event_id, *doings.conditions()))


def last_under(session: Session, selection: Selection, consent_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """When something of the selection last happened under each of these consents; no entry where nothing did."""
    query = select(AuditEvent.consent_id, func.max(AuditEvent.recorded_at)).where(
        *selection.conditions(), AuditEvent.consent_id.in_(consent_ids)
    )
    return {key: moment for key, moment in session.execute(query.group_by(AuditEvent.consent_id)) if key}


def professionals_of(session: Session, selection: Selection) -> set[UUID]:
    """Every professional the selection's events name."""
    query = select(AuditEvent.professional_id).where(*selection.conditions()).distinct()
    return {key for key in session.scalars(query) if key is not None}


def establishments_of(session: Session, selection: Selection) -> set[UUID]:
    """Every establishment the selection's events name as whose doing they are."""
    query = select(AuditEvent.establishment_id).where(*selection.conditions()).distinct()
    return {key for key in session.scalars(query) if key is not None}
