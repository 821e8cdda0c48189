"""Granting, revoking and reading consents; every state is a new version, audited in the same transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from consent_broker.consents.decision import AccessQuery, Decision, Directive, Kind, decide
from consent_broker.consents.evidence import Proof
from consent_broker.consents.models import Consent, ConsentVersion
from consent_broker.consents.narrowing import AS_ASKED, Narrowing
from consent_broker.consents.vocabulary import ALL_CATEGORIES, MAX_DURATION, TRANSITIONS, Status
from registry import outbox
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import new_id, now
from registry.errors import Conflict, NotFound, Unprocessable
from registry.identity.service import list_person_ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a consent says: to whom, about what, for what, until when. None is any; a permission names all of it."""

    person_id: UUID
    establishment_id: UUID | None
    professional_id: UUID | None = None
    categories: frozenset[str] | None
    purposes: frozenset[str] | None
    ends_at: datetime | None
    kind: Kind = Kind.PERMISSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentState:
    """A consent as of its newest version."""

    id: UUID
    version: int
    status: Status
    terms: Terms
    starts_at: datetime
    recorded_at: datetime
    reason: str | None

    def in_force(self, moment: datetime) -> bool:
        """Whether it counts at that moment; its end is not part of it."""
        ends_at = self.terms.ends_at
        return self.status is Status.ACTIVE and self.starts_at <= moment and (ends_at is None or moment < ends_at)

    @property
    def directive(self) -> Directive:
        """What the decision function reads."""
        return Directive(
            consent_id=self.id,
            kind=self.terms.kind,
            person_id=self.terms.person_id,
            establishment_id=self.terms.establishment_id,
            professional_id=self.terms.professional_id,
            categories=self.terms.categories,
            purposes=self.terms.purposes,
            starts_at=self.starts_at,
            ends_at=self.terms.ends_at,
            revoked=self.status not in {Status.ACTIVE, Status.EXPIRED},
        )


def propose_consent(session: Session, terms: Terms, evidence: dict[str, Any]) -> UUID:
    """Record what somebody asks a person to consent to; it permits nothing. Raises Unprocessable."""
    check_terms(terms, now())
    consent = Consent(
        id=new_id(),
        person_id=terms.person_id,
        kind=terms.kind.value,
        establishment_id=terms.establishment_id,
        professional_id=terms.professional_id,
    )
    session.add(consent)
    session.flush()
    _append(session, _first(consent.id, terms, evidence))
    return consent.id


def grant_consent(session: Session, consent_id: UUID, evidence: Proof, narrowing: Narrowing = AS_ASKED) -> ConsentState:
    """The person agrees to a proposed consent, or to less: it is in force from now, and supersedes those it covers.

    Raises Conflict unless it is proposed, Forbidden when the evidence is too weak, Unprocessable when `narrowing` asks
    for more than was proposed, NotFound.
    """
    state = _narrowed(get_consent(session, consent_id), narrowing)
    moment = now()
    evidence.require_strong(state.terms.person_id, moment)
    check_terms(state.terms, moment)
    for other in list_consents(session, [state.terms.person_id]):
        if other.status is Status.ACTIVE and _covers(state.terms, other.terms):
            _move(session, other, Status.SUPERSEDED, evidence.as_record(), str(consent_id))
    granted = _move(session, state, Status.ACTIVE, evidence.as_record(), None, starts_at=moment)
    record(session, _event("consent:directive:granted", granted, evidence))
    outbox.publish(session, "consent:directive:granted", str(consent_id), {"consent_id": str(consent_id)})
    return granted


def _narrowed(state: ConsentState, narrowing: Narrowing) -> ConsentState:
    categories = narrowing.of_categories(state.terms.categories)
    ends_at = narrowing.of_end(state.terms.ends_at)
    return replace(state, terms=replace(state.terms, categories=categories, ends_at=ends_at))


def reject_consent(session: Session, consent_id: UUID, evidence: Proof) -> ConsentState:
    """The person declines a proposed consent; raises Conflict unless it is proposed, Forbidden, NotFound."""
    state = get_consent(session, consent_id)
    evidence.require_strong(state.terms.person_id, now())
    rejected = _move(session, state, Status.REJECTED, evidence.as_record(), None)
    record(session, _event("consent:directive:rejected", rejected, evidence))
    return rejected


def revoke_consent(session: Session, consent_id: UUID, evidence: Proof, reason: str | None = None) -> ConsentState:
    """The person withdraws a consent: from this commit on nothing that rests on it is permitted.

    Ley 29733 art. 13.6: consent may be revoked at any time, in the same way it was given. Raises Conflict unless it is
    in force, Forbidden, and NotFound when it is not this person's.
    """
    state = get_consent(session, consent_id)
    if state.terms.person_id != evidence.decides_for:
        raise NotFound("There is no such consent.", code="unknown-consent")
    evidence.require_strong(state.terms.person_id, now())
    revoked = _move(session, state, Status.REVOKED, evidence.as_record(), reason)
    record(session, _event("consent:directive:revoked", revoked, evidence))
    outbox.publish(session, "consent:directive:revoked", str(consent_id), {"consent_id": str(consent_id)})
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
    ended = (state for state in _states(session, ends_before=moment, limit=limit))
    count = 0
    for state in ended:
        _move(session, state, Status.EXPIRED, {"channel": "clock"}, None)
        count += 1
    return count


def get_consent(session: Session, consent_id: UUID) -> ConsentState:
    """The newest state of a consent; raises NotFound."""
    states = _states(session, consent_ids=[consent_id])
    if not states:
        raise NotFound("There is no such consent.", code="unknown-consent")
    return states[0]


def list_consents(session: Session, person_ids: Collection[UUID]) -> list[ConsentState]:
    """Every consent of a person (with the persons it replaced), newest change first."""
    return _states(session, person_ids=person_ids)


def list_versions(session: Session, consent_id: UUID) -> Sequence[ConsentVersion]:
    """The whole history of a consent, oldest first."""
    query = select(ConsentVersion).where(ConsentVersion.consent_id == consent_id).order_by(ConsentVersion.version)
    return session.scalars(query).all()


def find_directives(session: Session, person_id: UUID, under: UUID | None = None) -> list[Directive]:
    """What a person directed and what of it has ended: the decision function's second argument.

    With `under`, of the permissions only that consent, or the one that superseded it: what was granted under a consent
    ends with it, whatever else the person permits. Of persons this one replaced the objections hold, the permissions
    do not: a merge never widens.
    """
    states = list_consents(session, {person_id, *list_person_ids(session, person_id)})
    decided = {Status.ACTIVE, Status.REVOKED, Status.EXPIRED}
    held = [state.directive for state in states if state.status in decided]
    mine = [one for one in held if one.person_id == person_id or one.kind is Kind.OBJECTION]
    directives = [replace(one, person_id=person_id) for one in mine]
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
    return decide(query, find_directives(session, query.person_id, under), now())


def check_terms(terms: Terms, moment: datetime) -> None:
    """Raise Unprocessable unless the terms are lawful: known categories, a grantee, a purpose and an end."""
    unknown = (terms.categories or frozenset()) - ALL_CATEGORIES
    if unknown:
        raise Unprocessable(f"Unknown record categories: {', '.join(sorted(unknown))}.", code="unknown-category")
    if terms.ends_at is not None and terms.ends_at <= moment:
        raise Unprocessable("The end of the consent is in the past.", code="period-in-the-past")
    if terms.kind is Kind.PERMISSION:
        _check_permission(terms, moment)


def _check_permission(terms: Terms, moment: datetime) -> None:
    if terms.establishment_id is None or not terms.categories or not terms.purposes:
        raise Unprocessable("A permission names who, what and for what.", code="permission-too-wide")
    if terms.ends_at is None or terms.ends_at - moment > MAX_DURATION + _ONE_DAY:
        raise Unprocessable(f"A permission ends within {MAX_DURATION.days} days.", code="period-too-long")


_ONE_DAY = timedelta(days=1)
"""`until` is a day in Lima: the last one ends some hours after the 90 times 24."""


def _covers(newer: Terms, older: Terms) -> bool:
    """Whether a directive says all an older one says to the same grantee for the same purposes, and as long."""
    same = ("kind", "establishment_id", "professional_id", "purposes")
    if any(getattr(newer, name) != getattr(older, name) for name in same):
        return False
    wider = newer.categories is None or (older.categories is not None and older.categories <= newer.categories)
    return wider and (newer.ends_at is None or (older.ends_at is not None and older.ends_at <= newer.ends_at))


def _states(
    session: Session,
    *,
    person_ids: Collection[UUID] | None = None,
    consent_ids: Sequence[UUID] | None = None,
    ends_before: datetime | None = None,
    limit: int | None = None,
) -> list[ConsentState]:
    newest = select(ConsentVersion).ext(distinct_on(ConsentVersion.consent_id))
    newest = newest.order_by(ConsentVersion.consent_id, ConsentVersion.version.desc())
    if consent_ids is not None:
        newest = newest.where(ConsentVersion.consent_id.in_(consent_ids))
    if person_ids is not None:
        owned = select(Consent.id).where(Consent.person_id.in_(person_ids))
        newest = newest.where(ConsentVersion.consent_id.in_(owned))
    version = newest.subquery()
    columns = version.c
    query = select(Consent, version).join(version, columns.consent_id == Consent.id)
    if ends_before is not None:
        open_states = [status.value for status in TRANSITIONS]
        query = query.where(columns.status.in_(open_states), columns.ends_at <= ends_before).limit(limit)
    rows = session.execute(query.order_by(columns.recorded_at.desc(), Consent.id.desc()))
    return [_state(row[0], row) for row in rows]


def _state(consent: Consent, version: Any) -> ConsentState:
    terms = Terms(
        person_id=consent.person_id,
        establishment_id=consent.establishment_id,
        professional_id=consent.professional_id,
        categories=None if version.categories is None else frozenset(version.categories),
        purposes=None if version.purposes is None else frozenset(version.purposes),
        ends_at=version.ends_at,
        kind=Kind(consent.kind),
    )
    return ConsentState(
        id=consent.id,
        version=version.version,
        status=Status(version.status),
        terms=terms,
        starts_at=version.starts_at,
        recorded_at=version.recorded_at,
        reason=version.reason,
    )


def _first(consent_id: UUID, terms: Terms, evidence: dict[str, Any]) -> dict[str, Any]:
    moment = now()
    return {
        "consent_id": consent_id,
        "version": 1,
        "status": Status.PROPOSED.value,
        "categories": None if terms.categories is None else sorted(terms.categories),
        "purposes": None if terms.purposes is None else sorted(terms.purposes),
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
    return get_consent(session, state.id)


def _append(session: Session, values: dict[str, Any]) -> None:
    """Add a version; of two writers who saw the same state the second gets Conflict."""
    statement = insert(ConsentVersion).values(values).on_conflict_do_nothing().returning(ConsentVersion.version)
    if session.scalar(statement) is None:
        raise Conflict("The consent has just been changed by somebody else.", code="consent-state")


def _event(action: str, state: ConsentState, evidence: Proof) -> Event:
    return Event(
        action=action,
        person_id=state.terms.person_id,
        establishment_id=state.terms.establishment_id,
        professional_id=state.terms.professional_id,
        actor_person_id=evidence.actor_person_id,
        actor_role=evidence.actor_role,
        purpose=",".join(sorted(state.terms.purposes)) if state.terms.purposes else None,
        consent_id=state.id,
        detail={
            "version": state.version,
            "categories": sorted(state.terms.categories) if state.terms.categories is not None else None,
            "ends_at": state.terms.ends_at.isoformat() if state.terms.ends_at else None,
            **evidence.as_detail(),
        },
    )
