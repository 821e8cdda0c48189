"""What the patient's page does with an authorization request: look at it, accept it, reject it.

Everything comes from stored rows; the browser contributes the challenge and nothing else.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.access_requests import deny_request, find_request_for, grant_request
from consent_broker.consents.evidence import Proof
from consent_broker.consents.models import AccessRequest
from consent_broker.consents.narrowing import AS_ASKED, Narrowing, as_narrowing, narrow
from consent_broker.consents.service import ConsentState, Terms, grant_consent, propose_consent
from consent_broker.consents.vocabulary import DEFAULT_DURATION, categories_of, end_of_day, scope_of
from consent_broker.oauth.clients import find_client
from consent_broker.oauth.grants import Reader, decide_reading, decision_event, open_grant, unable_professional
from consent_broker.oauth.models import AuthorizationCode, AuthorizationRequest, OAuthGrant
from consent_broker.oauth.opaque import digest, new_secret
from consent_broker.oauth.rfc9207_redirects import answer_url
from consent_broker.oauth.rfc9396_rar import DEFAULT_PURPOSE, Details, load_details, sources_of
from registry.audit.event import Event
from registry.audit.service import record
from registry.calendar import LIMA
from registry.database import now
from registry.directory.service import list_establishments
from registry.errors import Conflict, Forbidden, NotFound, Unprocessable


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What a patient is asked: by whom, for what, about which categories, until when."""

    client_id: str
    establishment_id: UUID
    professional_id: UUID | None
    purpose: str
    categories: frozenset[str]
    ends_at: datetime
    access_request_id: UUID | None
    offline: bool
    redirect_uri: str
    details: Details | None = None
    """What was asked exactly (RFC 9396); None where scopes or the access request say it."""

    sources: frozenset[UUID] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """What is sensitive is asked for in an access request only."""
        return ()

    def terms(self, person_id: UUID) -> Terms:
        """The permission asked of that person, as far as the scopes and the details say it."""
        return Terms(
            person_id=person_id,
            establishment_id=self.establishment_id,
            categories=self.categories,
            sources=self.sources,
            data_from=self.details.data_from if self.details else None,
            data_until=self.details.data_until if self.details else None,
            purposes=frozenset({self.purpose}),
            ends_at=self.ends_at,
        )


def get_authorization(session: Session, challenge: str, person_id: UUID) -> Authorization:
    """What this challenge asks of this person; raises NotFound, also when it asks somebody else, Conflict when over."""
    request = _find(session, challenge)
    if request.decided_at is not None or request.expires_at <= now():
        raise Conflict("This request has already been answered or has ended.", code="authorization-over")
    return _view(session, request, person_id)


def accept(session: Session, broker: Broker, challenge: str, evidence: Proof, narrowing: Narrowing = AS_ASKED) -> str:
    """The patient agrees, or to less: consent, decision, grant and code in one transaction; returns where to go next.

    Raises NotFound, Conflict when answered or over, Forbidden when the evidence is weak, somebody may no longer act, or
    the client is no longer registered for the scopes or the address it asked with, Unprocessable for a wider
    `narrowing`.
    """
    request = _close(session, challenge)
    asked = _view(session, request, evidence.decides_for)
    _require_usable(session, request, asked, evidence)
    consent = _consent(session, asked, evidence, narrowing)
    reader = replace(_reader(asked), consent_id=consent.id)
    categories = asked.categories & (consent.terms.categories or asked.categories)
    if not categories:
        raise Unprocessable("Nothing the application asks for is among what you permit.", code="nothing-permitted")
    decision = decide_reading(session, reader, evidence.decides_for, categories)
    event = decision_event(reader, evidence.decides_for, decision)
    if not decision.permit:
        raise Forbidden("Another directive of yours forbids this access.", code="objection", audit=event)
    record(session, event)
    permitted = {scope_of(category) for category in decision.categories} | ({"offline_access"} & set(request.scopes))
    ends_at = consent.terms.ends_at or asked.ends_at
    grant = open_grant(session, reader, evidence.decides_for, permitted, ends_at)
    if asked.details:
        grant.authorization_details = _granted(session, asked.details, consent.terms, decision.categories).as_json()
    code = _new_code(session, broker, request, grant)
    return answer_url(broker.issuer, request.redirect_uri, {"code": code, "state": request.state})


def reject(session: Session, broker: Broker, challenge: str, evidence: Proof) -> str:
    """The patient declines; returns where the browser goes, with `access_denied`. Raises as `accept`.

    Declining always counts; to an address that is no longer the client's the browser isn't sent.
    """
    request = _close(session, challenge)
    asked = _view(session, request, evidence.decides_for)
    if asked.access_request_id is not None:
        deny_request(session, asked.access_request_id, evidence)
    event = Event(
        action="oauth:authorization:rejected",
        outcome="refused",
        reason="declined-by-patient",
        person_id=evidence.decides_for,
        actor_person_id=evidence.actor_person_id,
        actor_role=evidence.actor_role,
        establishment_id=request.establishment_id,
        professional_id=asked.professional_id,
        client_id=request.client_id,
        purpose=asked.purpose,
        detail=evidence.as_detail(),
    )
    record(session, event)
    client = find_client(session, request.client_id, now())
    if client is None or not client.check_redirect_uri(request.redirect_uri):
        return f"{broker.issuer}/mi-historia"
    answer = {"error": "access_denied", "error_description": "The patient declined", "state": request.state}
    return answer_url(broker.issuer, request.redirect_uri, answer)


def _find(session: Session, challenge: str) -> AuthorizationRequest:
    found = session.get(AuthorizationRequest, digest(challenge), populate_existing=True)
    if found is None:
        raise NotFound("There is no such request.", code="unknown-authorization")
    return found


def _close(session: Session, challenge: str) -> AuthorizationRequest:
    """Take the request for answering, in one statement: of two answers (two tabs, two clicks) one gets Conflict."""
    moment = now()
    statement = (
        update(AuthorizationRequest)
        .where(
            AuthorizationRequest.challenge_hash == digest(challenge),
            AuthorizationRequest.decided_at.is_(None),
            AuthorizationRequest.expires_at > moment,
        )
        .values(decided_at=moment)
        .returning(AuthorizationRequest)
    )
    request = session.scalar(statement)
    if request is None:
        _find(session, challenge)
        raise Conflict("This request has already been answered or has ended.", code="authorization-over")
    return request


def _view(session: Session, request: AuthorizationRequest, person_id: UUID) -> Authorization:
    launch = _launch(session, request, person_id)
    details = load_details(request.authorization_details) if request.authorization_details else None
    by_default = launch.ends_at if launch else end_of_day((now() + DEFAULT_DURATION).astimezone(LIMA).date())
    return Authorization(
        client_id=request.client_id,
        establishment_id=request.establishment_id,
        professional_id=launch.professional_id if launch else None,
        purpose=launch.purpose if launch else details.purpose if details else DEFAULT_PURPOSE,
        categories=categories_of(request.scopes),
        ends_at=details.ends_at if details and details.ends_at else by_default,
        access_request_id=launch.id if launch else None,
        offline="offline_access" in request.scopes,
        redirect_uri=request.redirect_uri,
        details=details,
        sources=sources_of(session, details) if details else None,
    )


def _launch(session: Session, request: AuthorizationRequest, person_id: UUID) -> AccessRequest | None:
    if request.access_request_id is None:
        return None
    try:
        return find_request_for(session, request.access_request_id, person_id)
    except NotFound:
        raise NotFound("There is no such request.", code="unknown-authorization") from None


def _reader(asked: Authorization) -> Reader:
    return Reader(
        establishment_id=asked.establishment_id,
        professional_id=asked.professional_id,
        purpose=asked.purpose,
        client_id=asked.client_id,
    )


def _require_usable(session: Session, request: AuthorizationRequest, asked: Authorization, evidence: Proof) -> None:
    """The client and the professional may have lost their standing since the page was shown."""
    fault = _client_fault(session, request) or unable_professional(session, _reader(asked), now())
    if fault is None:
        return
    refusal = Event(
        action="consent:access:decided",
        outcome="refused",
        reason=fault,
        person_id=evidence.decides_for,
        establishment_id=asked.establishment_id,
        client_id=asked.client_id,
        professional_id=asked.professional_id,
        purpose=asked.purpose,
    )
    raise Forbidden("Whoever asked may no longer have access.", code=fault, audit=refusal)


def _client_fault(session: Session, request: AuthorizationRequest) -> str | None:
    client = find_client(session, request.client_id, now())
    if client is None or client.unusable:
        return "unknown-client" if client is None else client.unusable
    if not set(request.scopes) <= client.scopes:
        return "scope-withdrawn"
    return None if client.check_redirect_uri(request.redirect_uri) else "address-withdrawn"


def _consent(session: Session, asked: Authorization, evidence: Proof, narrowing: Narrowing) -> ConsentState:
    terms = asked.terms(evidence.decides_for)
    if asked.access_request_id is not None:
        if asked.details:
            exact = narrow(terms, replace(narrowing, labels=None))
            narrowing = replace(as_narrowing(exact), labels=narrowing.labels)
        return grant_request(session, asked.access_request_id, evidence, narrowing)[1]
    return grant_consent(session, propose_consent(session, terms, evidence.as_record()), evidence, narrowing)


def _granted(session: Session, asked: Details, terms: Terms, categories: frozenset[str]) -> Details:
    """What was asked, as far as the patient permitted it."""
    sources = list_establishments(session, terms.sources) if terms.sources else None
    return replace(
        asked,
        categories=categories,
        establishments=tuple(sorted(one.renipress for one in sources)) if sources else None,
        ends_at=terms.ends_at,
        data_from=terms.data_from,
        data_until=terms.data_until,
    )


def _new_code(session: Session, broker: Broker, request: AuthorizationRequest, grant: OAuthGrant) -> str:
    secret = new_secret()
    session.add(
        AuthorizationCode(
            code_hash=digest(secret),
            grant_id=grant.id,
            client_id=request.client_id,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            jkt=request.jkt,
            expires_at=now() + timedelta(seconds=broker.settings.authorization_code_seconds),
        )
    )
    return secret
