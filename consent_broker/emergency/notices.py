"""Telling, when an emergency opens, the person it is about and whoever watches over personal data."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.emergency.models import EmergencyAccess
from registry.calendar import LIMA
from registry.database import now
from registry.directory.service import display_name, get_establishment, get_professional
from registry.messages.phones import find_mobile
from registry.messages.port import Letter
from registry.messages.service import composer, queue_text
from registry.messages.words import LONGEST, LONGEST_NAME, plain
from registry.sealing import Sealer

PERSON, OFFICER = "emergency-notice", "emergency-review-notice"
WORTH_TELLING = timedelta(days=7)


def tell_of_opening(session: Session, case: EmergencyAccess) -> None:
    """Queue both messages in the transaction that opens the case: they leave within seconds."""
    for kind in (PERSON, OFFICER):
        queue_text(session, kind, case.id, now() + WORTH_TELLING)


@composer(PERSON)
def write_to_person(session: Session, sealer: Sealer, emergency_id: UUID) -> Letter | None:
    """Who reads, from where, until when; None for who has no telephone, and sees it in the portal alone.

    A number that another establishment wrote comes first: who misuses an emergency could have written theirs.
    """
    case = session.get_one(EmergencyAccess, emergency_id)
    number = find_mobile(session, sealer, case.person_id, besides=case.establishment_id)
    number = number or find_mobile(session, sealer, case.person_id)
    if number is None or case.declared_at is None or case.ends_at is None:
        return None
    who = display_name(session, sealer, get_professional(session, case.professional_id))
    place = get_establishment(session, case.establishment_id).name
    return Letter(number, person_message(who, place, case.declared_at, case.ends_at))


def writer_to_officer(number: str | None) -> Callable[[Session, Sealer, UUID], Letter | None]:
    """Who writes to the privacy officer's duty telephone; nobody where there is none, and the queue says it alone."""

    def write(session: Session, _sealer: Sealer, emergency_id: UUID) -> Letter | None:
        case = session.get_one(EmergencyAccess, emergency_id)
        if number is None or case.declared_at is None or case.review_due_at is None:
            return None
        place = get_establishment(session, case.establishment_id).name
        return Letter(number, officer_message(place, case.declared_at, case.review_due_at))

    return write


def person_message(who: str, place: str, opened_at: datetime, until: datetime) -> str:
    """What the person reads."""
    opened, last = opened_at.astimezone(LIMA), until.astimezone(LIMA)
    return plain(
        f"RENHICE: el {opened:%d/%m} a las {opened:%H:%M} {who[:LONGEST_NAME]}, de {place[:LONGEST_NAME]}, declaro una "
        f"emergencia y puede leer lo basico de su historia clinica hasta las {last:%H:%M}. "
        "Si no la reconoce, entre a Emergencias en RENHICE o llame gratis al 113."
    )[:LONGEST]


def officer_message(place: str, opened_at: datetime, due_at: datetime) -> str:
    """What the privacy officer reads: nothing of the patient or the professional, which the queue shows."""
    opened, due = opened_at.astimezone(LIMA), due_at.astimezone(LIMA)
    return plain(
        f"RENHICE: emergencia abierta en {place[:LONGEST_NAME]} el {opened:%d/%m} a las {opened:%H:%M}. "
        f"Revisela en RENHICE antes del {due:%d/%m} a las {due:%H:%M}."
    )[:LONGEST]
