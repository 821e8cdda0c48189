"""Asking for, declaring and ending an emergency access: each step audited before anything can be read.

Declaring makes a permission in the person's place: the basic categories, ordinary sensitivity only, one professional at
one establishment, purpose BTG, for minutes. From there on it is decided, tokenised, withdrawn and shown like any other.
An objection the person made to emergencies as such (purpose BTG) is respected; others do not stand in the way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from consent_broker.consents.directives import Terms
from consent_broker.consents.evidence import LEEWAY, CounterEvidence
from consent_broker.consents.service import grant_consent, list_consents, propose_consent, revoke_consent
from consent_broker.consents.vocabulary import BASIC
from consent_broker.emergency.cases import event_of, is_open, is_suspended, permission_stands
from consent_broker.emergency.models import EmergencyAccess
from consent_broker.emergency.notices import tell_of_opening
from consent_broker.emergency.vocabulary import (
    ACR,
    CHANNEL,
    DECLARE_WITHIN,
    FRESH,
    PERIOD,
    PURPOSE,
    REASONS,
    REVIEW_WITHIN,
    TEXT_LENGTHS,
)
from registry.audit.event import Detail, Event
from registry.audit.service import record
from registry.database import new_id, now, take_turns
from registry.directory.service import unable_to_act
from registry.errors import Conflict, Forbidden, TooManyRequests, Unprocessable
from registry.identity.service import list_person_ids, resolve_replaced
from registry.sealing import Sealer
from registry.settings import Settings

OPENED = "emergency:access:opened"
TEXT_CONTEXT = "emergency-text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who needs whose basic information; `client_id` None in the portal."""

    person_id: UUID
    establishment_id: UUID
    professional_id: UUID
    client_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the professional declared, and how surely it was them; `wording` is the declaration they were shown."""

    reason: str
    text: str
    wording: str
    acr: int
    auth_time: datetime
    session_id: UUID | None = None


def ask_emergency(session: Session, asking: Asking) -> EmergencyAccess:
    """Begin a case; it permits nothing until it is declared, and ends by itself in ten minutes.

    Raises Forbidden when the professional may not act there or is suspended, NotFound for an unknown person.
    """
    moment = now()
    asking = replace(asking, person_id=resolve_replaced(session, asking.person_id))
    _require_able(session, asking, moment)
    case = EmergencyAccess(
        id=new_id(),
        person_id=asking.person_id,
        establishment_id=asking.establishment_id,
        professional_id=asking.professional_id,
        client_id=asking.client_id,
        declare_until=moment + DECLARE_WITHIN,
    )
    session.add(case)
    session.flush()
    record(session, event_of(case, "emergency:access:asked"))
    return case


def declare_emergency(
    session: Session, sealer: Sealer, settings: Settings, case: EmergencyAccess, declared: Declared
) -> EmergencyAccess:
    """Open the case: from this commit on the professional may read the basic information, until `ends_at`.

    Raises Unprocessable for an unknown reason or too few words, Conflict for a case that is open or over, Forbidden
    (audited) for too weak a sign-in, a suspended professional or a person who refused emergency access,
    TooManyRequests (audited) beyond the professional's number a day.
    """
    moment = now()
    _check_words(declared)
    _require_strong(declared, moment)
    take_turns_of(session, case.professional_id)
    _require_able(session, _asking(case), moment)
    _require_restraint(session, settings, case, moment)
    _require_no_refusal(session, case, moment)
    ends_at = moment + timedelta(minutes=settings.emergency_minutes)
    _claim(session, case, moment, ends_at)
    case.reason = declared.reason
    case.sealed_text = sealer.seal(session, case.id, declared.text.strip().encode(), TEXT_CONTEXT)
    case.consent_id = _permit(session, case, declared, ends_at)
    session.flush()
    record(session, event_of(case, OPENED, reason=case.reason, until=ends_at.isoformat()))
    tell_of_opening(session, case)
    return case


def end_emergency(session: Session, case: EmergencyAccess, because: str) -> None:
    """End an open case now, and everything that rests on it; one that is over stays as it is."""
    if not is_open(case, now()) or case.consent_id is None:
        return
    if permission_stands(session, case):
        revoke_consent(session, case.consent_id, _evidence(case, because), because)
    case.ends_at = now()
    record(session, event_of(case, "emergency:access:ended", because=because))


def dispute(session: Session, case: EmergencyAccess) -> None:
    """The person does not recognise the access: it ends if it is open, and comes first in the review queue."""
    if case.disputed_at is None:
        case.disputed_at = now()
        record(session, replace(event_of(case, "emergency:access:disputed"), actor_role="patient"))
    end_emergency(session, case, "disputed")


def _asking(case: EmergencyAccess) -> Asking:
    return Asking(
        person_id=case.person_id,
        establishment_id=case.establishment_id,
        professional_id=case.professional_id,
        client_id=case.client_id,
    )


def _check_words(declared: Declared) -> None:
    if declared.reason not in REASONS:
        raise Unprocessable(f"The reason is one of {', '.join(sorted(REASONS))}.", code="unknown-reason")
    least, most = TEXT_LENGTHS
    if not least <= len(declared.text.strip()) <= most:
        raise Unprocessable(f"Say in {least} to {most} characters what happens.", code="words-needed")


def _require_strong(declared: Declared, moment: datetime) -> None:
    if declared.acr < ACR or not -LEEWAY <= moment - declared.auth_time <= FRESH:
        raise Forbidden("An emergency needs the strongest sign-in, made just now.", code="step-up-required")


def _require_able(session: Session, asking: Asking, moment: datetime) -> None:
    reason = unable_to_act(session, asking.professional_id, asking.establishment_id, moment)
    if reason is None and is_suspended(session, asking.professional_id):
        reason = "emergency-suspended"
    if reason is not None:
        refusal = _refused(asking, reason)
        raise Forbidden("The professional may not declare an emergency here.", code=reason, audit=refusal)


def take_turns_of(session: Session, professional_id: UUID) -> None:
    """A professional's declarations, and what suspends them, go one after the other: each sees those before it."""
    take_turns(session, b"emergency" + professional_id.bytes)


def _require_restraint(session: Session, settings: Settings, case: EmergencyAccess, moment: datetime) -> None:
    query = select(func.count()).where(
        EmergencyAccess.professional_id == case.professional_id, EmergencyAccess.declared_at > moment - PERIOD
    )
    if (session.scalar(query) or 0) >= settings.emergencies_per_day:
        raise TooManyRequests(
            "You have declared as many emergencies as one day allows.",
            code="too-many-emergencies",
            hint="Ask a colleague, or the privacy officer.",
            audit=_refused(_asking(case), "too-many-emergencies"),
        )


def _require_no_refusal(session: Session, case: EmergencyAccess, moment: datetime) -> None:
    """Only an objection that names emergencies stands in the way of one."""
    states = list_consents(session, list_person_ids(session, case.person_id))
    if any(
        state.terms.kind == "objection" and PURPOSE in (state.terms.purposes or ()) and state.in_force(moment)
        for state in states
    ):
        raise Forbidden(
            "This person does not permit emergency access.",
            code="emergency-refused",
            audit=_refused(_asking(case), "emergency-refused"),
        )


def _claim(session: Session, case: EmergencyAccess, moment: datetime, ends_at: datetime) -> None:
    """Declared once, in time, by one statement."""
    claim = (
        update(EmergencyAccess)
        .where(
            EmergencyAccess.id == case.id,
            EmergencyAccess.declared_at.is_(None),
            EmergencyAccess.declare_until > moment,
        )
        .values(declared_at=moment, ends_at=ends_at, review_due_at=moment + REVIEW_WITHIN)
        .returning(EmergencyAccess.id)
    )
    if session.scalar(claim, execution_options={"synchronize_session": "fetch"}) is None:
        raise Conflict("This emergency access was declared before, or its time is over.", code="emergency-state")


def _permit(session: Session, case: EmergencyAccess, declared: Declared, ends_at: datetime) -> UUID:
    terms = Terms(
        person_id=case.person_id,
        establishment_id=case.establishment_id,
        professional_id=case.professional_id,
        categories=BASIC,
        purposes=frozenset({PURPOSE}),
        ends_at=ends_at,
    )
    facts: dict[str, Detail] = {
        "reason": declared.reason,
        "acr": declared.acr,
        "auth_time": declared.auth_time.astimezone(UTC).isoformat(),
        "session_id": str(declared.session_id) if declared.session_id else None,
    }
    evidence = _evidence(case, declared.wording, facts)
    return grant_consent(session, propose_consent(session, terms, evidence.as_record()), evidence).id


def _evidence(case: EmergencyAccess, text: str, facts: Mapping[str, Detail] = MappingProxyType({})) -> CounterEvidence:
    """What an act of an emergency leaves in place of the person's own (Ley 30024: they could not authorise)."""
    return CounterEvidence(
        decides_for=case.person_id,
        channel=CHANNEL,
        text=text,
        establishment_id=case.establishment_id,
        professional_id=case.professional_id,
        facts={"emergency": str(case.id), **facts},
    )


def _refused(asking: Asking, reason: str) -> Event:
    return Event(
        action="emergency:access:opened",
        outcome="refused",
        reason=reason,
        person_id=asking.person_id,
        establishment_id=asking.establishment_id,
        client_id=asking.client_id,
        professional_id=asking.professional_id,
        actor_role="professional",
        purpose=PURPOSE,
    )
