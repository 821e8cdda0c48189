"""What a limit may name: the establishments and professionals of a person's own history, and nobody else."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent_broker.consents.models import AccessRequest
from consent_broker.consents.service import list_consents
from portal import accesses as log
from portal.limit_forms import Offer
from portal.people import person_and_replaced
from portal.present import directory
from registry.audit.service import Selection, establishments_of, professionals_of
from registry.directory.models import Establishment
from registry.directory.service import list_establishments
from registry.locator.service import locate
from registry.sealing import Sealer


def offer_for(session: Session, sealer: Sealer, person_id: UUID) -> Offer:
    """Who holds records of the person, asked for them, read them or may read them."""
    ids = person_and_replaced(session, person_id)
    selection = Selection(person_ids=ids, actions=log.SHOWN, refusals_of=log.REFUSALS_OF)
    holders = {one.establishment_id for one in locate(session, person_id)}
    terms = [state.terms for state in list_consents(session, ids)]
    asked = session.execute(
        select(AccessRequest.establishment_id, AccessRequest.professional_id).where(AccessRequest.person_id.in_(ids))
    ).all()
    places = holders | establishments_of(session, selection) | {row[0] for row in asked}
    places |= {one.establishment_id for one in terms if one.establishment_id}
    people = professionals_of(session, selection) | {row[1] for row in asked}
    people |= {one.professional_id for one in terms if one.professional_id}
    known = directory(session, sealer, establishments=places, professionals=people)
    names = {str(one.id): one.name for one in list_establishments(session, places)}
    return Offer(
        places=names,
        professionals={str(one): f"{known.professional(one)} · {known.credential(one)}" for one in sorted(people)},
        sectors=sorted(session.scalars(select(Establishment.sector).distinct())),
        holders={key: name for key, name in names.items() if UUID(key) in holders},
    )
