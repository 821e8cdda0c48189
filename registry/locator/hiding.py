"""Hidden links: that an establishment holds records of a person is told to nobody but the two of them.

The person's directive is the truth and has the history; this is what the locator looks up.
"""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from registry.identity.service import list_person_ids
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
    ids = list_person_ids(session, person_id)
    return frozenset(session.scalars(select(HiddenLink.establishment_id).where(HiddenLink.person_id.in_(ids))))
