"""Deciding by what stands in the database: a person's directives, and what is known of the reader."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.decision import Decision, decide
from consent_broker.consents.directives import AccessQuery, Directive, Kind, Terms
from consent_broker.consents.preview import Foreseen, foresee
from consent_broker.consents.states import ConsentState, history_of
from consent_broker.consents.vocabulary import Status
from registry.database import now
from registry.directory.service import get_establishment, unable_to_act
from registry.locator.service import locate

CARE_LASTS = timedelta(days=90)
"""How long after an establishment last sent a person's record its professionals count as treating them."""


def find_directives(session: Session, person_id: UUID, under: UUID | None = None) -> list[Directive]:
    """What a person directed and what of it has ended: the decision function's second argument.

    With `under`, of the permissions only that consent, or the one that superseded it: what was granted under a consent
    ends with it, whatever else the person permits. Of persons this one replaced the objections hold, the permissions
    do not: a merge never widens.
    """
    return _directives(history_of(session, person_id).consents, person_id, under)


def _directives(states: Sequence[ConsentState], person_id: UUID, under: UUID | None) -> list[Directive]:
    decided = {Status.ACTIVE, Status.REVOKED, Status.EXPIRED}
    held = [state.directive for state in states if state.status in decided]
    mine = [one for one in held if one.person_id == person_id or one.kind is Kind.OBJECTION]
    directives = [one if one.person_id == person_id else replace(one, person_id=person_id) for one in mine]
    if under is None:
        return directives
    current = _current(under, {state.id: state for state in states})
    return [one for one in directives if one.kind is Kind.OBJECTION or one.consent_id == current]


def _current(consent_id: UUID, states: dict[UUID, ConsentState]) -> UUID:
    """Follow a consent to the one that took its place; the chain only leads to newer ones, so it ends."""
    state = states.get(consent_id)
    while state is not None and state.status is Status.SUPERSEDED and state.reason:
        consent_id = UUID(state.reason)
        state = states.get(consent_id)
    return consent_id


def decide_access(session: Session, query: AccessQuery, under: UUID | None = None) -> Decision:
    """Decide by what stands in the database now."""
    history = history_of(session, query.person_id)
    directives = _directives(history.consents, query.person_id, under)
    return decide(_informed(session, replace(query, deceased=history.deceased), directives), directives, now())


def _informed(session: Session, query: AccessQuery, directives: Sequence[Directive]) -> AccessQuery:
    """The question with what the answer turns on: a death, the kind of establishment, whether somebody treats."""
    if query.deceased:
        return query
    if any(one.establishment_category or one.establishment_sector for one in directives):
        place = get_establishment(session, query.establishment_id)
        query = replace(query, establishment_category=place.category, establishment_sector=place.sector)
    if any(one.treating for one in directives):
        query = replace(query, treats=treats(session, query, now()))
    return query


def foresee_access(session: Session, asked: Terms, besides: Collection[UUID] = ()) -> Foreseen:
    """What a permission would let its grantee read if it were given now, without regard to the consents `besides`."""
    history = history_of(session, asked.person_id)
    query = AccessQuery(
        person_id=asked.person_id,
        establishment_id=asked.establishment_id or UUID(int=0),
        professional_id=asked.professional_id,
        purpose=min(asked.purposes or {""}),
        categories=asked.categories or frozenset(),
        deceased=history.deceased,
    )
    held = _directives(history.consents, asked.person_id, None)
    directives = [one for one in held if one.consent_id not in besides]
    return foresee(_informed(session, query, directives), directives, asked, now())


def treats(session: Session, query: AccessQuery, moment: datetime) -> bool:
    """Whether a professional treats the person at that establishment, as far as the registry can know.

    They may act there now, and the establishment has sent the person's record within the last 90 days.
    """
    if query.professional_id is None:
        return False
    attended = any(
        one.establishment_id == query.establishment_id and one.last_received > moment - CARE_LASTS
        for one in locate(session, query.person_id)
    )
    return attended and unable_to_act(session, query.professional_id, query.establishment_id, moment) is None
