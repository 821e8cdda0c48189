"""Hidden links: that an establishment holds records of a person is told to nobody but the two of them.

The person's directive is the truth and has the history; this is what the locator looks up.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from registry.identity.models import Person
from registry.locator.models import HiddenLink


def hide_links(session: Session, person_id: UUID, establishment_ids: Collection[UUID]) -> None:
    """Make these the hidden links of a person, and no others."""
    session.execute(
        delete(HiddenLink).where(
            HiddenLink.person_id == person_id, HiddenLink.establishment_id.not_in(establishment_ids)
        )
    )
    for establishment_id in establishment_ids:
        values = {"person_id": person_id, "establishment_id": establishment_id}
        session.execute(insert(HiddenLink).values(values).on_conflict_do_nothing())


def hidden_links(session: Session, person_id: UUID) -> frozenset[UUID]:
    """The establishments whose link to a person is hidden: by the person, or by one it replaced."""
    return hidden_links_of(session, [person_id]).get(person_id, frozenset())


def hidden_links_of(session: Session, person_ids: Collection[UUID]) -> dict[UUID, frozenset[UUID]]:
    """The same of many persons, in one statement; no entry for one who hides none."""
    start = select(Person.id.label("current"), Person.id.label("id")).where(Person.id.in_(person_ids))
    chain = start.cte("chain", recursive=True)
    chain = chain.union(select(chain.c.current, Person.id).join(chain, Person.replaced_by == chain.c.id))
    query = select(chain.c.current, HiddenLink.establishment_id).join(HiddenLink, HiddenLink.person_id == chain.c.id)
    found: dict[UUID, set[UUID]] = {}
    for person_id, establishment_id in session.execute(query):
        found.setdefault(person_id, set()).add(establishment_id)
    return {person_id: frozenset(hidden) for person_id, hidden in found.items()}
