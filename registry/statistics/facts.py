"""The fact of each person, derived anew from identity whenever the person changes."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from matching.records import Demographics
from registry.database import now, take_turns
from registry.identity.models import Membership, Person, SourceRecord
from registry.identity.persons import preferred_demographics
from registry.sealing import Sealer
from registry.statistics.categories import DEPARTMENTS
from registry.statistics.models import PersonFact


def refresh_fact(session: Session, sealer: Sealer, person_id: UUID) -> None:
    """Derive the person's fact anew; a person without readable records has none. Idempotent, in any order."""
    key = _key(sealer, person_id)
    take_turns(session, key)
    demographics = preferred_demographics(session, sealer, person_id)
    establishments = _count_establishments(session, person_id)
    if demographics is None or establishments == 0:
        session.execute(delete(PersonFact).where(PersonFact.person_key == key))
        return
    values = _describe(demographics) | {"establishments": establishments, "updated_at": now()}
    statement = insert(PersonFact).values(person_key=key, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["person_key"], set_=values))


def list_persons(session: Session, after: UUID | None, limit: int) -> list[UUID]:
    """The next current persons in order of their ids, for a rebuild in batches."""
    query = select(Person.id).where(Person.status == "active").order_by(Person.id).limit(limit)
    return list(session.scalars(query if after is None else query.where(Person.id > after)))


def drop_stale(session: Session, since: datetime) -> int:
    """Remove facts that a rebuild begun at `since` did not touch: their persons are no more. Returns how many."""
    result = session.execute(delete(PersonFact).where(PersonFact.updated_at < since).returning(PersonFact.person_key))
    return len(result.all())


def _key(sealer: Sealer, person_id: UUID) -> bytes:
    return sealer.blind("statistics", str(person_id))


def _count_establishments(session: Session, person_id: UUID) -> int:
    query = (
        select(func.count(SourceRecord.establishment_id.distinct()))
        .join(Membership, Membership.source_record_id == SourceRecord.id)
        .where(Membership.person_id == person_id)
    )
    return session.scalar(query) or 0


def _describe(demographics: Demographics) -> dict[str, str | int | None]:
    department = (demographics.ubigeo or "")[:2]
    return {
        "sex": demographics.sex,
        "birth_year": demographics.birth_date.year if demographics.birth_date else None,
        "department": department if department in DEPARTMENTS else None,
    }
