"""A professional asks a patient for access; the patient answers; each step audited."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from consent_broker.consents.evidence import Proof
from consent_broker.consents.models import AccessRequest
from consent_broker.consents.narrowing import AS_ASKED, Narrowing
from consent_broker.consents.service import (
    ConsentState,
    Terms,
    grant_consent,
    propose_consent,
    reject_consent,
)
from consent_broker.consents.vocabulary import DEFAULT_DURATION, MAX_DURATION, NORMAL, PURPOSES, end_of_day
from registry import outbox
from registry.audit.event import Event
from registry.audit.service import record
from registry.calendar import LIMA
from registry.database import new_id, now, take_turns
from registry.directory.service import unable_to_act
from registry.errors import Conflict, Forbidden, NotFound, TooManyRequests, Unprocessable
from registry.identity.service import is_deceased, resolve_replaced

ANSWER_WITHIN = timedelta(days=3)
MAX_ASKED = 20
"""Requests of one establishment to one person in a day that the person has not granted."""

ASKED_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks for what; `ends_at` None is the default of seven days, counted to midnight in Lima.

    `labels` name what is sensitive and needed: the ordinary is meant without.
    """

    establishment_id: UUID
    professional_id: UUID
    person_id: UUID
    purpose: str
    categories: frozenset[str]
    ends_at: datetime | None = None
    client_id: str | None = None
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and whether it was made now; asking again while it waits for its answer makes no second one."""

    request: AccessRequest
    made: bool


def request_access(session: Session, asking: Asking) -> Asked:
    """Record a request and the consent it proposes; permits nothing yet. The same pending request is found, not made.

    Raises Forbidden when the professional may not act at that establishment, NotFound for an unknown person, Conflict
    for one who has died, Unprocessable for terms nobody may ask for, TooManyRequests beyond 20 a day that the person
    did not grant.
    """
    moment = now()
    _require_able(session, asking, moment)
    asking = replace(asking, ends_at=_end(asking, moment), person_id=resolve_replaced(session, asking.person_id))
    _require_alive(session, asking)
    _take_turns(session, asking)
    pending = _find_same(session, asking, moment)
    if pending is not None:
        return Asked(pending, made=False)
    _require_restraint(session, asking, moment)
    return Asked(_make(session, asking), made=True)


def _end(asking: Asking, moment: datetime) -> datetime:
    if asking.purpose not in PURPOSES:
        raise Unprocessable(f"The purpose is one of {', '.join(sorted(PURPOSES))}.", code="unknown-purpose")
    ends_at = asking.ends_at or end_of_day((moment + DEFAULT_DURATION).astimezone(LIMA).date())
    if ends_at > end_of_day((moment + MAX_DURATION).astimezone(LIMA).date()):
        raise Unprocessable(f"Access ends within {MAX_DURATION.days} days.", code="period-too-long")
    return ends_at


def _take_turns(session: Session, asking: Asking) -> None:
    """Two at once about one person from one establishment go one after the other, so that the second sees the first."""
    take_turns(session, b"access-request" + asking.establishment_id.bytes + asking.person_id.bytes)


def _find_same(session: Session, asking: Asking, moment: datetime) -> AccessRequest | None:
    """The pending request on the same terms through the same client: a client may launch none but its own."""
    query = select(AccessRequest).where(
        AccessRequest.person_id == asking.person_id,
        AccessRequest.status == "pending",
        AccessRequest.establishment_id == asking.establishment_id,
        AccessRequest.professional_id == asking.professional_id,
        AccessRequest.client_id.is_not_distinct_from(asking.client_id),
        AccessRequest.purpose == asking.purpose,
        AccessRequest.categories == sorted(asking.categories),
        AccessRequest.labels == sorted(asking.labels),
        AccessRequest.ends_at == asking.ends_at,
    )
    found = session.scalars(query.order_by(AccessRequest.created_at.desc()))
    return next((one for one in found if current_status(one, moment) == "pending"), None)


def _require_restraint(session: Session, asking: Asking, moment: datetime) -> None:
    """Nobody is worn down by asking: what a person leaves or denies counts, what they grant does not."""
    query = select(func.count()).where(
        AccessRequest.person_id == asking.person_id,
        AccessRequest.status.in_(("pending", "denied")),
        AccessRequest.establishment_id == asking.establishment_id,
        AccessRequest.created_at > moment - ASKED_WITHIN,
    )
    if (session.scalar(query) or 0) >= MAX_ASKED:
        raise TooManyRequests(
            "Your establishment has asked this patient too often today.",
            code="asked-too-often",
            hint="Wait for the patient's answer to what was asked.",
            audit=_refused(asking, "asked-too-often"),
        )


def _terms(asking: Asking) -> Terms:
    return Terms(
        person_id=asking.person_id,
        establishment_id=asking.establishment_id,
        professional_id=asking.professional_id,
        categories=asking.categories,
        labels=asking.labels | {NORMAL} if asking.labels else None,
        purposes=frozenset({asking.purpose}),
        ends_at=asking.ends_at,
    )


def _make(session: Session, asking: Asking) -> AccessRequest:
    evidence = {"channel": asking.client_id or "portal", "professional_id": str(asking.professional_id)}
    request = AccessRequest(
        id=new_id(),
        consent_id=propose_consent(session, _terms(asking), evidence),
        client_id=asking.client_id,
        establishment_id=asking.establishment_id,
        professional_id=asking.professional_id,
        person_id=asking.person_id,
        purpose=asking.purpose,
        categories=sorted(asking.categories),
        labels=sorted(asking.labels),
        ends_at=asking.ends_at,
        status="pending",
    )
    session.add(request)
    session.flush()
    record(session, _event("consent:access:requested", request))
    outbox.publish(session, "consent:access:requested", str(request.id), {"access_request_id": str(request.id)})
    return request


def _require_able(session: Session, asking: Asking, moment: datetime) -> None:
    reason = unable_to_act(session, asking.professional_id, asking.establishment_id, moment)
    if reason is None:
        return
    refusal = _refused(asking, reason)
    raise Forbidden("The professional may not act at this establishment.", code=reason, audit=refusal)


def _require_alive(session: Session, asking: Asking) -> None:
    if is_deceased(session, asking.person_id):
        refusal = _refused(asking, "patient-deceased")
        raise Conflict("The patient has died: nobody can permit this.", code="patient-deceased", audit=refusal)


def _refused(asking: Asking, reason: str) -> Event:
    return Event(
        action="consent:access:requested",
        outcome="refused",
        reason=reason,
        person_id=asking.person_id,
        establishment_id=asking.establishment_id,
        professional_id=asking.professional_id,
        client_id=asking.client_id,
        actor_role="professional",
    )


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


def find_pending_request(session: Session, request_id: UUID) -> AccessRequest:
    """A request that waits for its answer; raises NotFound for an unknown one, Conflict for one answered or over."""
    found = session.get(AccessRequest, request_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such access request.", code="unknown-access-request")
    if current_status(found, now()) != "pending":
        raise Conflict("This request has already been answered or has ended.", code="request-answered")
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


def grant_request(
    session: Session, request_id: UUID, evidence: Proof, narrowing: Narrowing = AS_ASKED
) -> tuple[AccessRequest, ConsentState]:
    """The patient agrees, or to less than was asked; the request keeps what was asked, the consent what was permitted.

    What is sensitive is permitted only where `narrowing` names it: over a road that does not show it, it is left out.
    Raises NotFound unless it is theirs, Conflict unless it is pending, Forbidden, Unprocessable for wider `narrowing`.
    """
    request = _answer(session, request_id, evidence.decides_for, "granted")
    named = narrowing if narrowing.labels is not None else replace(narrowing, labels=frozenset({NORMAL}))
    return request, grant_consent(session, request.consent_id, evidence, named)


def deny_request(session: Session, request_id: UUID, evidence: Proof) -> AccessRequest:
    """The patient declines; raises NotFound unless it is theirs, Conflict unless it is pending, Forbidden."""
    request = _answer(session, request_id, evidence.decides_for, "denied")
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
        detail={
            "categories": list(request.categories),
            "labels": list(request.labels),
            "ends_at": request.ends_at.isoformat(),
        },
    )
