"""Where a professional works, brought to what a directory file says."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select

from registry.audit.event import Event
from registry.database import new_id, now
from registry.directory.administration import Desk, assign
from registry.directory.models import Affiliation
from registry.directory.schemas import AffiliationItem
from registry.directory.service import get_establishment

Key = tuple[UUID, str]


def put_affiliations(desk: Desk, professional_id: UUID, items: Sequence[AffiliationItem]) -> bool:
    """Make the items the whole list: absent ones end now. True when anything moved; raises NotFound for a place."""
    wanted = {(get_establishment(desk.session, item.establishment).id, item.role): item for item in items}
    query = select(Affiliation).where(Affiliation.professional_id == professional_id)
    known = {(row.establishment_id, row.role): row for row in desk.session.scalars(query)}
    moved = [key for key, item in wanted.items() if _put(desk, professional_id, key, known.get(key), item)]
    moved += _end(known, wanted)
    for establishment_id, role in moved:
        _audit(desk, professional_id, establishment_id, role)
    return bool(moved)


def _put(desk: Desk, professional_id: UUID, key: Key, row: Affiliation | None, item: AffiliationItem) -> bool:
    period = {"valid_from": item.valid_from, "valid_until": item.valid_until}
    if row is not None:
        return bool(assign(row, period))
    establishment_id, role = key
    desk.session.add(
        Affiliation(
            id=new_id(), professional_id=professional_id, establishment_id=establishment_id, role=role, **period
        )
    )
    return True


def _end(known: Mapping[Key, Affiliation], wanted: Mapping[Key, AffiliationItem]) -> list[Key]:
    moment = now()
    absent = [key for key, row in known.items() if key not in wanted and row.in_force(moment)]
    for key in absent:
        known[key].valid_until = moment
    return absent


def _audit(desk: Desk, professional_id: UUID, establishment_id: UUID, role: str) -> None:
    desk.audit(
        Event(
            action="directory:affiliation:changed",
            professional_id=professional_id,
            establishment_id=establishment_id,
            detail={"role": role},
        )
    )
