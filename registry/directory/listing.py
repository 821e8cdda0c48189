"""Looking through the directory: who is there by what is public of them, in pages of a stable order."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from registry.directory.models import Affiliation, Establishment, Professional

Match = Literal["begins", "contains", "exact"]
"""How a name is compared: the first two in any case."""

Span = tuple[datetime | None, datetime | None]
"""From a moment to before another; None: open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Which establishments; None for no matter."""

    ids: Collection[UUID] | None = None
    renipress: Collection[str] | None = None
    names: Collection[tuple[Match, str]] | None = None
    areas: Collection[str] | None = None
    """Beginnings: of the ubigeo of a region, a province or a district, or of a region's name."""

    categories: Collection[str] | None = None
    updated: Span = (None, None)

    active: Collection[bool] | None = None
    connected: bool = False
    """Whether only those with a FHIR address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Practices:
    """Which professionals, or which of their affiliations; None for no matter."""

    ids: Collection[UUID] | None = None
    registrations: Collection[tuple[str | None, str]] | None = None
    """College and number; the college None for any."""

    professionals: Collection[UUID] | None = None
    establishments: Collection[UUID] | None = None
    roles: Collection[str] | None = None
    updated: Span = (None, None)
    active: Collection[bool] | None = None


def list_places(session: Session, wanted: Places, offset: int, limit: int) -> Sequence[Establishment]:
    """Establishments by RENIPRESS code."""
    query = _places(wanted).order_by(Establishment.renipress).offset(offset).limit(limit)
    return session.scalars(query).all()


def count_places(session: Session, wanted: Places) -> int:
    """How many there are."""
    return _count(session, _places(wanted).with_only_columns(Establishment.id))


def _count(session: Session, query: Select[Any]) -> int:
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0


def _places(wanted: Places) -> Select[Establishment]:
    query = select(Establishment)
    if wanted.connected:
        query = query.where(Establishment.fhir_endpoint.is_not(None))
    if wanted.active is not None:
        query = query.where(Establishment.active.in_(wanted.active))
    query = query.where(*_within(Establishment.updated_at, wanted.updated))
    columns = (
        (Establishment.id, wanted.ids), (Establishment.renipress, wanted.renipress),
        (Establishment.category, wanted.categories),
    )  # fmt: skip
    for column, values in columns:
        if values is not None:
            query = query.where(column.in_(values))
    if wanted.names is not None:
        query = query.where(_any(_called(how, text) for how, text in wanted.names))
    if wanted.areas is not None:
        query = query.where(_any(_lies_in(one) for one in wanted.areas))
    return query


def list_professionals(session: Session, wanted: Practices, offset: int, limit: int) -> Sequence[Professional]:
    """Professionals by college and number."""
    query = _professionals(wanted).order_by(Professional.college, Professional.number).offset(offset).limit(limit)
    return session.scalars(query).all()


def count_professionals(session: Session, wanted: Practices) -> int:
    """How many there are."""
    return _count(session, _professionals(wanted).with_only_columns(Professional.id))


def _professionals(wanted: Practices) -> Select[Professional]:
    query = select(Professional)
    query = query.where(*_within(Professional.updated_at, wanted.updated))
    if wanted.ids is not None:
        query = query.where(Professional.id.in_(wanted.ids))
    if wanted.active is not None:
        query = query.where(Professional.able_to_practise.in_(wanted.active))
    if wanted.registrations is not None:
        query = query.where(_any(_registered(college, number) for college, number in wanted.registrations))
    return query


def list_affiliations(
    session: Session, wanted: Practices, moment: datetime, offset: int, limit: int
) -> Sequence[Affiliation]:
    """Affiliations by id; active are those in force at that moment."""
    query = _affiliations(wanted, moment).order_by(Affiliation.id).offset(offset).limit(limit)
    return session.scalars(query).all()


def count_affiliations(session: Session, wanted: Practices, moment: datetime) -> int:
    """How many there are."""
    return _count(session, _affiliations(wanted, moment).with_only_columns(Affiliation.id))


def _affiliations(wanted: Practices, moment: datetime) -> Select[Affiliation]:
    query = select(Affiliation)
    columns = (
        (Affiliation.id, wanted.ids), (Affiliation.professional_id, wanted.professionals),
        (Affiliation.establishment_id, wanted.establishments), (Affiliation.role, wanted.roles),
    )  # fmt: skip
    for column, values in columns:
        if values is not None:
            query = query.where(column.in_(values))
    if wanted.active is not None:
        ended = and_(Affiliation.valid_until.is_not(None), Affiliation.valid_until <= moment)
        in_force = and_(Affiliation.valid_from <= moment, ~ended)
        query = query.where(_any(in_force if one else ~in_force for one in wanted.active))
    return query


def _called(how: Match, text: str) -> ColumnElement[bool]:
    if how == "exact":
        return Establishment.name == text
    compare = Establishment.name.icontains if how == "contains" else Establishment.name.istartswith
    return compare(text, autoescape=True)


def _lies_in(area: str) -> ColumnElement[bool]:
    by_code = Establishment.ubigeo.startswith(area, autoescape=True)
    return or_(by_code, Establishment.region.istartswith(area, autoescape=True))


def _within(column: InstrumentedAttribute[datetime], span: Span) -> Iterator[ColumnElement[bool]]:
    since, before = span
    if since is not None:
        yield column >= since
    if before is not None:
        yield column < before


def _registered(college: str | None, number: str) -> ColumnElement[bool]:
    same = Professional.number == number
    return same if college is None else and_(same, Professional.college == college)


def _any(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    return or_(false(), *conditions)
