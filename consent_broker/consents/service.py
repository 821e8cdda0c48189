"""Granting, objecting, revoking: every state is a new version, audited in the same transaction."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent_broker.consents.deciding import decide_access, find_directives
from consent_broker.consents.directives import Kind, Terms
from consent_broker.consents.evidence import Proof
from consent_broker.consents.mandates import is_confidential
from consent_broker.consents.models import Consent, ConsentVersion
from consent_broker.consents.narrowing import AS_ASKED, Narrowing, narrow
from consent_broker.consents.states import (
    SETS,
    ConsentState,
    get_consent,
    list_consents,
    list_states,
    list_versions,
)
from consent_broker.consents.terms import GRANTEE, check_terms, covers, takes_back
from consent_broker.consents.vocabulary import TRANSITIONS, Status
from registry import outbox
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import new_id, now
from registry.errors import Conflict, Forbidden, NotFound, Unprocessable
from registry.locator.hiding import hide_links

__all__ = [
    "ConsentState",
    "Terms",
    "check_terms",
    "decide_access",
    "expire_consents",
    "find_directives",
    "get_consent",
    "grant_consent",
    "list_consents",
    "list_versions",
    "propose_consent",
    "record_objection",
    "reject_consent",
    "revoke_consent",
]


def propose_consent(session: Session, terms: Terms, evidence: dict[str, Any]) -> UUID:
    """Record what somebody asks a person to consent to; it permits nothing. Raises Unprocessable."""
    check_terms(terms, now())
    grantee = {name: getattr(terms, name) for name in GRANTEE}
    consent = Consent(id=new_id(), person_id=terms.person_id, kind=terms.kind.value, hides=terms.hides, **grantee)
    session.add(consent)
    session.flush()
    _append(session, _first(consent.id, terms, evidence))
    return consent.id


def grant_consent(session: Session, consent_id: UUID, evidence: Proof, narrowing: Narrowing = AS_ASKED) -> ConsentState:
    """The person agrees to a proposed consent, or to less: in force from now, it supersedes others.

    Superseded are those it covers; an objection withdraws the permissions to the same grantee that lie within it.
    Raises Conflict unless it is proposed, Forbidden when the evidence is too weak, Unprocessable when `narrowing`
    asks for more than was proposed, NotFound.
    """
    state = get_consent(session, consent_id)
    moment = now()
    evidence.require_strong(state.terms.person_id, moment)
    terms = narrow(state.terms, narrowing)
    _require_reach(terms, evidence)
    check_terms(terms, moment)
    for other in list_consents(session, [terms.person_id]):
        if other.status is Status.ACTIVE and covers(terms, other.terms):
            _move(session, other, Status.SUPERSEDED, evidence.as_record(), str(consent_id))
        elif other.status is Status.ACTIVE and takes_back(terms, other.terms):
            _revoke(session, other, evidence, str(consent_id))
    granted = _move(session, replace(state, terms=terms), Status.ACTIVE, evidence.as_record(), None, starts_at=moment)
    record(session, _event("consent:directive:granted", granted, evidence))
    outbox.publish(session, "consent:directive:granted", str(consent_id), {"consent_id": str(consent_id)})
    return granted


def _require_reach(terms: Terms, evidence: Proof) -> None:
    """Raise Forbidden when the consent is about care confidential from whoever acts for the person."""
    if is_confidential(evidence.withheld, terms):
        raise Forbidden("This care is confidential from the representative.", code="not-in-mandate")


def reject_consent(session: Session, consent_id: UUID, evidence: Proof) -> ConsentState:
    """The person declines a proposed consent; raises Conflict unless it is proposed, Forbidden, NotFound."""
    state = get_consent(session, consent_id)
    evidence.require_strong(state.terms.person_id, now())
    _require_reach(state.terms, evidence)
    rejected = _move(session, state, Status.REJECTED, evidence.as_record(), None)
    record(session, _event("consent:directive:rejected", rejected, evidence))
    return rejected


def revoke_consent(session: Session, consent_id: UUID, evidence: Proof, reason: str | None = None) -> ConsentState:
    """The person withdraws a consent: from this commit on nothing that rests on it is permitted.

    Ley 29733 art. 13.6: consent may be revoked at any time, in the same way it was given. Raises Conflict unless it is
    in force, Forbidden, and NotFound when it is not this person's.
    """
    state = get_consent(session, consent_id)
    if state.terms.person_id != evidence.decides_for or is_confidential(evidence.withheld, state.terms):
        raise NotFound("There is no such consent.", code="unknown-consent")
    evidence.require_strong(state.terms.person_id, now())
    return _revoke(session, state, evidence, reason)


def _revoke(session: Session, state: ConsentState, evidence: Proof, reason: str | None) -> ConsentState:
    revoked = _move(session, state, Status.REVOKED, evidence.as_record(), reason)
    record(session, _event("consent:directive:revoked", revoked, evidence))
    outbox.publish(session, "consent:directive:revoked", str(state.id), {"consent_id": str(state.id)})
    return revoked


def record_objection(session: Session, terms: Terms, evidence: Proof) -> ConsentState:
    """The person objects to access (everybody, an establishment, a professional; all or some categories)."""
    evidence.require_strong(terms.person_id, now())
    if terms.kind is not Kind.OBJECTION:
        raise Unprocessable("An objection is asked for.", code="not-an-objection")
    return grant_consent(session, propose_consent(session, terms, evidence.as_record()), evidence)


def expire_consents(session: Session, limit: int = 500) -> int:
    """Give consents past their end the version that says so; the decision never waited for it. Returns how many."""
    moment = now()
    ended = (state for state in list_states(session, ends_before=moment, limit=limit))
    count = 0
    for state in ended:
        _move(session, state, Status.EXPIRED, {"channel": "clock"}, None)
        count += 1
    return count


def _first(consent_id: UUID, terms: Terms, evidence: dict[str, Any]) -> dict[str, Any]:
    moment = now()
    return {
        "consent_id": consent_id,
        "version": 1,
        "status": Status.PROPOSED.value,
        **{name: sorted(found) if (found := getattr(terms, name)) is not None else None for name in SETS},
        "data_from": terms.data_from,
        "data_until": terms.data_until,
        "starts_at": moment,
        "ends_at": terms.ends_at,
        "recorded_at": moment,
        "reason": None,
        "evidence": evidence,
    }


def _move(
    session: Session,
    state: ConsentState,
    status: Status,
    evidence: dict[str, Any],
    reason: str | None,
    starts_at: datetime | None = None,
) -> ConsentState:
    if status not in TRANSITIONS.get(state.status, frozenset()):
        raise Conflict(f"The consent is {state.status}: it can't become {status}.", code="consent-state")
    values = _first(state.id, state.terms, evidence) | {
        "version": state.version + 1,
        "status": status.value,
        "starts_at": starts_at or state.starts_at,
        "reason": reason,
    }
    _append(session, values)
    if state.terms.hides:
        _project_hidden(session, state.terms.person_id)
    return get_consent(session, state.id)


def _project_hidden(session: Session, person_id: UUID) -> None:
    """Tell the locator which links the person's directives in force hide."""
    active = (state.terms for state in list_consents(session, [person_id]) if state.status is Status.ACTIVE)
    hide_links(session, person_id, {place for terms in active for place in terms.hidden_links})


def _append(session: Session, values: dict[str, Any]) -> None:
    """Add a version; of two writers who saw the same state the second gets Conflict."""
    statement = insert(ConsentVersion).values(values).on_conflict_do_nothing().returning(ConsentVersion.version)
    if session.scalar(statement) is None:
        raise Conflict("The consent has just been changed by somebody else.", code="consent-state")


def _event(action: str, state: ConsentState, evidence: Proof) -> Event:
    terms = state.terms
    return Event(
        action=action,
        person_id=terms.person_id,
        establishment_id=terms.establishment_id,
        professional_id=terms.professional_id,
        actor_person_id=evidence.actor_person_id,
        actor_role=evidence.actor_role,
        purpose=",".join(sorted(terms.purposes)) if terms.purposes else None,
        consent_id=state.id,
        detail={
            "version": state.version,
            "kind": terms.kind.value,
            "categories": sorted(terms.categories) if terms.categories is not None else None,
            "labels": sorted(terms.labels) if terms.labels is not None else None,
            "ends_at": terms.ends_at.isoformat() if terms.ends_at else None,
            **evidence.as_detail(),
        },
    )
