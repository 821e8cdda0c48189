"""Representatives put on record at an establishment: by a professional, with the paper, for its own patients."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent_broker.consents.representatives import Proposal, Recorder, appoint, dismiss
from registry.access import Caller
from registry.audit.event import Detail, Event
from registry.audit.models import AuditEvent
from registry.database import now
from registry.directory.models import Representation
from registry.directory.representatives import Basis, get_representation
from registry.directory.service import get_establishment, get_professional_by_registration, unable_to_act
from registry.errors import Forbidden, NotFound, TooManyRequests, Unprocessable
from registry.identity.service import load_person, resolve_replaced
from registry.locator.service import locate
from registry.sealing import Sealer

RECORDED = "consent:representation:recorded"
MAX_A_DAY = 20
"""Representations an establishment may put on record in a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attending:
    """The professional in front of both, by college and number."""

    college: str
    number: str


def record_at_establishment(
    session: Session, sealer: Sealer, caller: Caller, proposal: Proposal, attending: Attending
) -> Representation:
    """Put a representation of one's own patient on record.

    Raises NotFound for who is not a patient of the establishment (and for who does not exist), Forbidden when the
    professional may not act there, Unprocessable without the paper's image, TooManyRequests, and what `appoint` raises.
    """
    professional = get_professional_by_registration(session, attending.college, attending.number)
    place = get_establishment(session, caller.establishment_id)
    fault = unable_to_act(session, professional.id, place.id, now())
    if fault:
        raise Forbidden(
            "The professional may not act at this establishment.",
            code=fault,
            audit=_refused(caller, fault, professional.id),
        )
    person_id = _own_patient(session, caller, proposal.person_id)
    if proposal.paper.sha256 is None:
        raise Unprocessable("The paper comes with the SHA-256 of its image.", code="paper-missing")
    _require_restraint(session, caller)
    detail: dict[str, Detail] = {
        "channel": "establishment",
        "establishment_id": str(place.id),
        "professional_id": str(professional.id),
        "corroborated": _is_mother(session, sealer, person_id, proposal),
    }
    recorder = Recorder(
        role="professional",
        detail=detail,
        establishment_id=place.id,
        professional_id=professional.id,
        client_id=caller.client_id,
    )
    return appoint(session, sealer, proposal, recorder)


def own_representation(session: Session, caller: Caller, representation_id: UUID) -> Representation:
    """A representation the caller's establishment put on record; raises NotFound, also for another's."""
    found = get_representation(session, representation_id)
    if found.evidence.get("establishment_id") != str(caller.establishment_id):
        raise NotFound("There is no such representation.", code="unknown-representation")
    return found


def end_at_establishment(session: Session, caller: Caller, representation_id: UUID) -> Representation:
    """End one the caller's establishment put on record; ending it twice changes nothing. Raises NotFound."""
    row = own_representation(session, caller, representation_id)
    recorder = Recorder(
        role="record-system",
        detail={"channel": "establishment"},
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
    )
    return dismiss(session, row.id, "ended-at-establishment", recorder)


def _own_patient(session: Session, caller: Caller, person_id: UUID) -> UUID:
    """The person, who has a record here that is not contested; a stranger and nobody look alike."""
    try:
        current = resolve_replaced(session, person_id)
    except NotFound:
        current = None
    held = current is not None and any(
        one.establishment_id == caller.establishment_id and not one.contested for one in locate(session, current)
    )
    if current is None or not held:
        refusal = _refused(caller, "unknown-person", None)
        raise NotFound("There is no such patient of your establishment.", code="unknown-person", audit=refusal)
    return current


def _require_restraint(session: Session, caller: Caller) -> None:
    query = select(func.count()).where(
        AuditEvent.action == RECORDED,
        AuditEvent.establishment_id == caller.establishment_id,
        AuditEvent.outcome == "success",
        AuditEvent.recorded_at > now() - timedelta(days=1),
    )
    if (session.scalar(query) or 0) >= MAX_A_DAY:
        raise TooManyRequests(
            "Your establishment has put many representations on record today.",
            code="too-many-representations",
            audit=_refused(caller, "too-many-representations", None),
        )


def _is_mother(session: Session, sealer: Sealer, person_id: UUID, proposal: Proposal) -> bool:
    """Whether a record of the person names the representative's document as the mother's."""
    person = load_person(session, sealer, person_id) if proposal.basis is Basis.PARENT else None
    return any(one.normalised.mother_document == proposal.document for one in person.members) if person else False


def _refused(caller: Caller, reason: str, professional_id: UUID | None) -> Event:
    return Event(
        action=RECORDED,
        outcome="refused",
        reason=reason,
        establishment_id=caller.establishment_id,
        client_id=caller.client_id,
        professional_id=professional_id,
        token_id=caller.token_id,
        actor_role="professional",
    )
