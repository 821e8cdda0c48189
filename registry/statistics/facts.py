"""The fact of each person, derived anew from identity whenever the person changes."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Session

from matching.records import Demographics
from registry.database import now, table_of, take_turns
from registry.identity.candidates import load_persons
from registry.identity.models import Membership, Person, SourceRecord
from registry.identity.persons import preferred_of
from registry.sealing import Sealer
from registry.statistics.categories import DEPARTMENTS
from registry.statistics.models import PersonFact

DOMAIN = "statistics"
_FACTS = table_of(PersonFact)


def _put() -> Insert:
    statement = insert(_FACTS)
    values = {column.name: statement.excluded[column.name] for column in _FACTS.c if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=["person_key"], set_=values)


_PUT = _put()


def refresh_facts(session: Session, sealer: Sealer, person_ids: Collection[UUID]) -> None:
    """Derive the facts of these persons anew; one without readable records has none. Idempotent, in any order."""
    blind = sealer.blinder(DOMAIN)
    keys = {blind(str(person_id)): person_id for person_id in person_ids}
    take_turns(session, *keys)
    persons, establishments = load_persons(session, sealer, person_ids), _count_establishments(session, person_ids)
    known = [
        {
            "person_key": key,
            **_describe(preferred_of(persons[person_id])),
            "establishments": establishments[person_id],
            "updated_at": now(),
        }
        for key, person_id in keys.items()
        if person_id in persons and persons[person_id].members
    ]
    if gone := keys.keys() - {fact["person_key"] for fact in known}:
        session.execute(delete(PersonFact).where(PersonFact.person_key.in_(gone)))
    if known:
        session.execute(_PUT, known)


def list_persons(session: Session, after: UUID | None, limit: int) -> list[UUID]:
    """The next current persons in order of their ids, for a rebuild in batches."""
    query = select(Person.id).where(Person.status == "active").order_by(Person.id).limit(limit)
    return list(session.scalars(query if after is None else query.where(Person.id > after)))


def drop_stale(session: Session, since: datetime) -> int:
    """Remove facts that a rebuild begun at `since` did not touch: their persons are no more. Returns how many."""
    result = session.execute(delete(PersonFact).where(PersonFact.updated_at < since).returning(PersonFact.person_key))
    return len(result.all())


def _count_establishments(session: Session, person_ids: Collection[UUID]) -> Mapping[UUID, int]:
    query = (
        select(Membership.person_id, func.count(SourceRecord.establishment_id.distinct()).label("establishments"))
        .join(SourceRecord, SourceRecord.id == Membership.source_record_id)
        .where(Membership.person_id.in_(person_ids))
        .group_by(Membership.person_id)
    )
    return {row.person_id: row.establishments for row in session.execute(query)}


def _describe(demographics: Demographics) -> dict[str, str | int | None]:
    department = (demographics.ubigeo or "")[:2]
    return {
        "sex": demographics.sex,
        "birth_year": demographics.birth_date.year if demographics.birth_date else None,
        "department": department if department in DEPARTMENTS else None,
    }
