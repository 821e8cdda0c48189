"""Reading emergency accesses: one, the open one of a professional, all about a person, and who may declare none."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent_broker.consents.service import get_consent
from consent_broker.emergency.models import EmergencyAccess, EmergencySuspension
from consent_broker.emergency.vocabulary import PURPOSE
from registry.audit.event import Detail, Event
from registry.database import now
from registry.errors import NotFound
from registry.identity.service import list_person_ids


def get_case(session: Session, emergency_id: UUID, *, establishment_id: UUID | None = None) -> EmergencyAccess:
    """The case; raises NotFound for an unknown one, or another establishment's where one is given."""
    case = session.get(EmergencyAccess, emergency_id, populate_existing=True)
    if case is None or (establishment_id is not None and case.establishment_id != establishment_id):
        raise NotFound("There is no such emergency access.", code="unknown-emergency")
    return case


def find_open(session: Session, professional_id: UUID, person_id: UUID) -> EmergencyAccess | None:
    """The newest case of the professional about the person that is open now."""
    query = select(EmergencyAccess).where(
        EmergencyAccess.professional_id == professional_id,
        EmergencyAccess.person_id == person_id,
        EmergencyAccess.ends_at > now(),
    )
    cases = session.scalars(query.order_by(EmergencyAccess.declared_at.desc()))
    return next((case for case in cases if permission_stands(session, case)), None)


def list_open(session: Session, professional_id: UUID) -> Sequence[EmergencyAccess]:
    """The cases of a professional that are open now, about whomever."""
    query = select(EmergencyAccess).where(
        EmergencyAccess.professional_id == professional_id, EmergencyAccess.ends_at > now()
    )
    return session.scalars(query).all()


def list_cases_about(session: Session, person_id: UUID) -> Sequence[EmergencyAccess]:
    """Every declared case about a person (and those it replaced), newest first: the person sees them all."""
    query = select(EmergencyAccess).where(
        EmergencyAccess.person_id.in_(list_person_ids(session, person_id)), EmergencyAccess.declared_at.is_not(None)
    )
    return session.scalars(query.order_by(EmergencyAccess.declared_at.desc())).all()


def is_open(case: EmergencyAccess, moment: datetime) -> bool:
    """Whether the window of a declared case has not ended."""
    return case.ends_at is not None and moment < case.ends_at


def event_of(case: EmergencyAccess, action: str, **detail: Detail) -> Event:
    """An audit event about a case."""
    return Event(
        action=action,
        person_id=case.person_id,
        establishment_id=case.establishment_id,
        client_id=case.client_id,
        professional_id=case.professional_id,
        actor_role="professional",
        purpose=PURPOSE,
        consent_id=case.consent_id,
        detail={"emergency": str(case.id), **detail},
    )


def is_suspended(session: Session, professional_id: UUID) -> bool:
    """Whether the professional may declare no emergencies until a privacy officer lifts it."""
    query = select(EmergencySuspension.id).where(
        EmergencySuspension.professional_id == professional_id, EmergencySuspension.lifted_at.is_(None)
    )
    return session.scalar(query) is not None


def permission_stands(session: Session, case: EmergencyAccess) -> bool:
    """Whether the permission a declared case rests on is in force; the person may have withdrawn it."""
    return case.consent_id is not None and get_consent(session, case.consent_id).in_force(now())
