"""A professional asks a patient for access; the patient answers; each step audited."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from consent_broker.consents.evidence import Evidence
from consent_broker.consents.models import AccessRequest
from consent_broker.consents.service import (
    ConsentState,
    Terms,
    grant_consent,
    propose_consent,
    reject_consent,
)
from consent_broker.consents.vocabulary import DEFAULT_DURATION, LIMA, MAX_DURATION, PURPOSES, end_of_day
from registry import outbox
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import new_id, now
from registry.directory.service import get_establishment, get_professional, professional_may_act
from registry.errors import Conflict, Forbidden, NotFound, Unprocessable
from registry.identity.service import resolve_replaced

ANSWER_WITHIN = timedelta(days=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks for what; `ends_at` None is the default of seven days, counted to midnight in Lima."""

    establishment_id: UUID
    professional_id: UUID
    person_id: UUID
    purpose: str
    categories: frozenset[str]
    ends_at: datetime | None = None
    client_id: str | None = None


def request_access(session: Session, asking: Asking) -> AccessRequest:
    """Record a request and the consent it proposes; permits nothing yet.

    Raises Forbidden when the professional may not act at that establishment, NotFound for an unknown person,
    Unprocessable for terms nobody may ask for.
    """
    moment = now()
    _require_able(session, asking, moment)
    if asking.purpose not in PURPOSES:
        raise Unprocessable(f"The purpose is one of {', '.join(sorted(PURPOSES))}.", code="unknown-purpose")
    ends_at = asking.ends_at or end_of_day((moment + DEFAULT_DURATION).astimezone(LIMA).date())
    if ends_at > end_of_day((moment + MAX_DURATION).astimezone(LIMA).date()):
        raise Unprocessable(f"Access ends within {MAX_DURATION.days} days.", code="period-too-long")
    person_id = resolve_replaced(session, asking.person_id)
    terms = Terms(
        person_id=person_id,
        establishment_id=asking.establishment_id,
        professional_id=asking.professional_id,
        categories=asking.categories,
        purposes=frozenset({asking.purpose}),
        ends_at=ends_at,
    )
    evidence = {"channel": asking.client_id or "portal", "professional_id": str(asking.professional_id)}
    request = AccessRequest(
        id=new_id(),
        consent_id=propose_consent(session, terms, evidence),
        client_id=asking.client_id,
        establishment_id=asking.establishment_id,
        professional_id=asking.professional_id,
        person_id=person_id,
        purpose=asking.purpose,
        categories=sorted(asking.categories),
        ends_at=ends_at,
        status="pending",
    )
    session.add(request)
    session.flush()
    record(session, _event("consent:access:requested", request))
    outbox.publish(session, "consent:access:requested", str(request.id), {"access_request_id": str(request.id)})
    return request


def _require_able(session: Session, asking: Asking, moment: datetime) -> None:
    professional = get_professional(session, asking.professional_id)
    establishment = get_establishment(session, asking.establishment_id)
    reason = professional_may_act(session, professional, establishment, moment)
    if reason is None:
        return
    refusal = Event(
        action="consent:access:requested",
        outcome="refused",
        reason=reason,
        person_id=asking.person_id,
        establishment_id=asking.establishment_id,
        professional_id=asking.professional_id,
        client_id=asking.client_id,
        actor_role="professional",
    )
    raise Forbidden("The professional may not act at this establishment.", code=reason, audit=refusal)


def current_status(request: AccessRequest, moment: datetime) -> str:
    """`pending`, `granted`, `denied`, or `expired` when nobody answered in time."""
    if request.status == "pending" and moment >= _deadline(request):
        return "expired"
    return request.status


def _deadline(request: AccessRequest) -> datetime:
    return min(request.created_at + ANSWER_WITHIN, request.ends_at)


def get_access_request(session: Session, request_id: UUID, establishment_id: UUID) -> AccessRequest:
    """A request of that establishment; raises NotFound, also for another's."""
    found = session.get(AccessRequest, request_id, populate_existing=True)
    if found is None or found.establishment_id != establishment_id:
        raise NotFound("There is no such access request.", code="unknown-access-request")
    return found


def list_pending_requests(session: Session, person_ids: Sequence[UUID]) -> list[AccessRequest]:
    """What waits for a person's answer, newest first."""
    query = select(AccessRequest).where(AccessRequest.person_id.in_(person_ids), AccessRequest.status == "pending")
    moment = now()
    found = session.scalars(query.order_by(AccessRequest.created_at.desc()))
    return [request for request in found if current_status(request, moment) == "pending"]


def list_requests_of(session: Session, professional_id: UUID, person_id: UUID) -> list[AccessRequest]:
    """What a professional has asked of one person, newest first."""
    query = select(AccessRequest).where(
        AccessRequest.professional_id == professional_id, AccessRequest.person_id == person_id
    )
    return list(session.scalars(query.order_by(AccessRequest.created_at.desc())))


def grant_request(session: Session, request_id: UUID, evidence: Evidence) -> tuple[AccessRequest, ConsentState]:
    """The patient agrees; raises NotFound unless it is theirs, Conflict unless it is pending, Forbidden."""
    request = _answer(session, request_id, evidence.actor_person_id, "granted")
    return request, grant_consent(session, request.consent_id, evidence)


def deny_request(session: Session, request_id: UUID, evidence: Evidence) -> AccessRequest:
    """The patient declines; raises NotFound unless it is theirs, Conflict unless it is pending, Forbidden."""
    request = _answer(session, request_id, evidence.actor_person_id, "denied")
    reject_consent(session, request.consent_id, evidence)
    return request


def find_request_for(session: Session, request_id: UUID, person_id: UUID) -> AccessRequest:
    """A request about that person; raises NotFound, also for somebody else's."""
    found = session.get(AccessRequest, request_id, populate_existing=True)
    if found is None or found.person_id != person_id:
        raise NotFound("There is no such access request.", code="unknown-access-request")
    return found


def _answer(session: Session, request_id: UUID, person_id: UUID, status: str) -> AccessRequest:
    """Move a pending request in one statement: of two answers one gets Conflict."""
    request = find_request_for(session, request_id, person_id)
    moment = now()
    statement = (
        update(AccessRequest)
        .where(AccessRequest.id == request_id, AccessRequest.status == "pending")
        .values(status=status, decided_at=moment)
        .returning(AccessRequest.id)
    )
    if current_status(request, moment) != "pending" or session.scalar(statement) is None:
        raise Conflict("This request has already been answered or has ended.", code="request-answered")
    session.refresh(request)
    return request


def _event(action: str, request: AccessRequest) -> Event:
    return Event(
        action=action,
        person_id=request.person_id,
        establishment_id=request.establishment_id,
        client_id=request.client_id,
        professional_id=request.professional_id,
        actor_role="professional",
        purpose=request.purpose,
        consent_id=request.consent_id,
        detail={"categories": list(request.categories), "ends_at": request.ends_at.isoformat()},
    )
