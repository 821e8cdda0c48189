"""Being attended now: where the person has permitted it beforehand, a consent of hours for whoever attends them.

A record system states it, with its encounter and how the person was identified at the counter. It yields a consent like
any other: in the person's list, told to them, theirs to withdraw, overruled by their objections. Withdrawn once, the
same professional's statements yield nothing for a day.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from consent_broker.consents.directives import AccessQuery, Terms
from consent_broker.consents.evidence import CounterEvidence
from consent_broker.consents.service import (
    decide_access,
    get_consent,
    grant_consent,
    propose_consent,
    revoke_consent,
)
from consent_broker.consents.vocabulary import Status
from consent_broker.desk.attendance_policy import Standing, standing_policy
from consent_broker.desk.models import Attendance
from consent_broker.desk.notices import tell_later
from registry.audit.event import Event
from registry.audit.service import record
from registry.database import new_id, now, take_turns
from registry.directory.service import unable_to_act
from registry.errors import Forbidden, NotFound, TooManyRequests
from registry.identity.service import resolve_replaced
from registry.locator.service import locate
from registry.sealing import Sealer
from registry.settings import Settings

CHANNEL, PURPOSE = "attendance", "TREAT"
LASTS, LONGEST = 8, 12
"""Hours."""

MAX_OF_PERSON, MAX_OF_PROFESSIONAL = 6, 60
"""Statements in a day."""

IDENTIFIED_BY = ("DNI", "CE", "PASSPORT", "PTP", "fingerprint", "known")
DAY = timedelta(days=1)
STATED, ENDED = "consent:attendance:stated", "consent:attendance:ended"
TEXT = "Por estar atendiéndose allí, según lo que la persona permitió de antemano a quien la atiende."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stating:
    """Who attends whom, in which encounter, what they need and for how many hours."""

    client_id: str
    establishment_id: UUID
    professional_id: UUID
    person_id: UUID
    encounter: str
    identified_by: str
    categories: frozenset[str]
    hours: int = LASTS


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement and whether it was made now; the same encounter again is the same statement."""

    attendance: Attendance
    made: bool


def state_attendance(session: Session, sealer: Sealer, settings: Settings, stating: Stating) -> Stated:
    """Put an attendance on record, and the consent it yields; raises Forbidden where nothing was permitted beforehand.

    Forbidden also when the professional may not act there now or the establishment holds no record of the person,
    NotFound for an unknown person, TooManyRequests.
    """
    stating = replace(stating, person_id=resolve_replaced(session, stating.person_id))
    moment = now()
    _require_care(session, stating, moment)
    _take_turns(session, stating)
    token = sealer.blind(f"encounter:{stating.establishment_id}", stating.encounter)
    found = _living(session, stating, token, moment)
    if found is not None:
        return Stated(found, made=False)
    _require_restraint(session, stating, moment)
    standing = standing_policy(session, settings, stating.person_id)
    if _was_withdrawn(session, stating, moment) or not standing.categories & stating.categories:
        raise _not_permitted(stating)
    attendance = _put(session, stating, standing, token, moment)
    record(session, _event(STATED, attendance))
    tell_later(session, attendance.consent_id)
    return Stated(attendance, made=True)


def end_attendance(session: Session, attendance_id: UUID, client_id: str) -> None:
    """The attendance is over: its consent ends now; twice changes nothing. Raises NotFound, also for another's."""
    mine = (Attendance.id == attendance_id) & (Attendance.client_id == client_id)
    attendance = session.scalar(select(Attendance).where(mine))
    if attendance is None:
        raise NotFound("There is no such attendance.", code="unknown-attendance")
    end = update(Attendance).where(mine, Attendance.ended_at.is_(None)).values(ended_at=now()).returning(Attendance.id)
    if session.scalar(end) is None:
        return
    record(session, _event(ENDED, attendance))
    state = get_consent(session, attendance.consent_id)
    if state.status is Status.ACTIVE:
        revoke_consent(session, state.id, _evidence(attendance, "Terminó la atención."), "attendance-ended")


def _put(session: Session, stating: Stating, standing: Standing, token: bytes, moment: datetime) -> Attendance:
    """The statement and its consent; one that the person's objections leave nothing of is refused."""
    ends_at = moment + timedelta(hours=min(stating.hours, LONGEST))
    terms = Terms(
        person_id=stating.person_id,
        establishment_id=stating.establishment_id,
        professional_id=stating.professional_id,
        categories=standing.categories & stating.categories,
        purposes=frozenset({PURPOSE}),
        ends_at=ends_at,
    )
    attendance = Attendance(
        id=new_id(),
        client_id=stating.client_id,
        establishment_id=stating.establishment_id,
        professional_id=stating.professional_id,
        person_id=stating.person_id,
        encounter_token=token,
        identified_by=stating.identified_by,
        stated_at=moment,
        ends_at=ends_at,
    )
    evidence = _evidence(attendance, TEXT, policy=standing.policy_id)
    attendance.consent_id = propose_consent(session, terms, evidence.as_record())
    grant_consent(session, attendance.consent_id, evidence)
    session.add(attendance)
    session.flush()
    if not _is_left(session, attendance, terms.categories or frozenset()):
        raise _not_permitted(stating)
    return attendance


def _is_left(session: Session, attendance: Attendance, categories: frozenset[str]) -> bool:
    query = AccessQuery(
        person_id=attendance.person_id,
        establishment_id=attendance.establishment_id,
        professional_id=attendance.professional_id,
        purpose=PURPOSE,
        categories=categories,
    )
    return decide_access(session, query, attendance.consent_id).permit


def _require_care(session: Session, stating: Stating, moment: datetime) -> None:
    fault = unable_to_act(session, stating.professional_id, stating.establishment_id, moment)
    if fault:
        raise Forbidden("The professional may not act now.", code=fault, audit=_refused(stating, fault))
    if all(one.establishment_id != stating.establishment_id for one in locate(session, stating.person_id)):
        raise Forbidden(
            "Your establishment holds no record of this patient.",
            code="no-record-held",
            hint="Register the patient first.",
            audit=_refused(stating, "no-record-held"),
        )


def _take_turns(session: Session, stating: Stating) -> None:
    """One at a time for a professional and for a person, always in that order."""
    take_turns(session, b"attends" + stating.professional_id.bytes, b"attended" + stating.person_id.bytes)


def _living(session: Session, stating: Stating, token: bytes, moment: datetime) -> Attendance | None:
    """The same encounter, while it lasts and its consent stands."""
    query = select(Attendance).where(
        *_same_care(stating),
        Attendance.client_id == stating.client_id,
        Attendance.encounter_token == token,
        Attendance.ended_at.is_(None),
        Attendance.ends_at > moment,
    )
    found = session.scalar(query.order_by(Attendance.stated_at.desc()).limit(1))
    stands = found is not None and get_consent(session, found.consent_id).status is Status.ACTIVE
    return found if stands else None


def _was_withdrawn(session: Session, stating: Stating, moment: datetime) -> bool:
    """Whether the person took back, in the last day, what an attendance by the same professional had yielded."""
    query = select(Attendance).where(
        *_same_care(stating), Attendance.stated_at > moment - DAY, Attendance.ended_at.is_(None)
    )
    return any(get_consent(session, one.consent_id).status is Status.REVOKED for one in session.scalars(query).all())


def _same_care(stating: Stating) -> tuple[ColumnElement[bool], ...]:
    return (
        Attendance.person_id == stating.person_id,
        Attendance.establishment_id == stating.establishment_id,
        Attendance.professional_id == stating.professional_id,
    )


def _require_restraint(session: Session, stating: Stating, moment: datetime) -> None:
    limits = (
        (Attendance.person_id == stating.person_id, MAX_OF_PERSON),
        (Attendance.professional_id == stating.professional_id, MAX_OF_PROFESSIONAL),
    )
    for whose, limit in limits:
        query = select(func.count()).select_from(Attendance).where(whose, Attendance.stated_at > moment - DAY)
        if (session.scalar(query) or 0) >= limit:
            raise TooManyRequests(
                "Too many attendances in a day.",
                code="too-many-attendances",
                hint="Ask the patient.",
                audit=_refused(stating, "too-many-attendances"),
            )


def _evidence(attendance: Attendance, text: str, policy: UUID | None = None) -> CounterEvidence:
    return CounterEvidence(
        decides_for=attendance.person_id,
        channel=CHANNEL,
        text=text,
        establishment_id=attendance.establishment_id,
        professional_id=attendance.professional_id,
        facts={
            "attendance": str(attendance.id),
            "encounter_token": attendance.encounter_token.hex(),
            "identified_by": attendance.identified_by,
            "basis": str(policy) if policy else "default",
        },
    )


def _not_permitted(stating: Stating) -> Forbidden:
    return Forbidden(
        "The patient has permitted nothing of this beforehand.",
        code="no-standing-permission",
        hint="Ask the patient.",
        audit=_refused(stating, "no-standing-permission"),
    )


def _refused(stating: Stating, reason: str) -> Event:
    return Event(
        action=STATED,
        outcome="refused",
        reason=reason,
        person_id=stating.person_id,
        establishment_id=stating.establishment_id,
        professional_id=stating.professional_id,
        client_id=stating.client_id,
        actor_role="professional",
        purpose=PURPOSE,
    )


def _event(action: str, attendance: Attendance) -> Event:
    return Event(
        action=action,
        person_id=attendance.person_id,
        establishment_id=attendance.establishment_id,
        professional_id=attendance.professional_id,
        client_id=attendance.client_id,
        actor_role="professional",
        purpose=PURPOSE,
        consent_id=attendance.consent_id,
        detail={"attendance": str(attendance.id), "identified_by": attendance.identified_by},
    )
