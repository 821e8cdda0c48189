"""Telling people what was put on record in their name while they were not at a screen."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.service import get_consent
from consent_broker.desk.sms_words import notice_message
from registry.database import now
from registry.directory.service import display_name, get_establishment, get_professional
from registry.messages.phones import find_mobile
from registry.messages.port import Letter
from registry.messages.service import composer, queue_text
from registry.sealing import Sealer

KIND = "consent-notice"
WORTH_TELLING = timedelta(days=7)


def tell_later(session: Session, consent_id: UUID) -> None:
    """Let the person know of a consent that others put on record; who has no telephone sees it in the portal alone."""
    queue_text(session, KIND, consent_id, now() + WORTH_TELLING)


@composer(KIND)
def write_notice(session: Session, sealer: Sealer, consent_id: UUID) -> Letter | None:
    """Who may read until when; None without a telephone that the establishment could not have written itself."""
    state = get_consent(session, consent_id)
    terms = state.terms
    number = find_mobile(session, sealer, terms.person_id, besides=terms.establishment_id)
    if number is None or terms.establishment_id is None or terms.ends_at is None:
        return None
    place = get_establishment(session, terms.establishment_id).name
    who = place
    if terms.professional_id:
        who = display_name(session, sealer, get_professional(session, terms.professional_id))
    return Letter(number, notice_message(who, place, state.starts_at, terms.ends_at))
