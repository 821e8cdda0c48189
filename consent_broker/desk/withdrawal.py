"""Withdrawing for people who can't sign in: before any professional, all that others put on record for them.

To withdraw is easier than to give (Ley 29733 art. 13): one professional is enough, nothing is chosen and nothing shown.
"""

from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.evidence import CounterEvidence
from consent_broker.consents.service import list_consents, revoke_consent
from consent_broker.consents.states import channels_of
from consent_broker.consents.vocabulary import Status

COUNTER_CHANNELS = frozenset({"sms", "assisted", "attendance"})
REASON = "withdrawn-with-help"


def withdraw_with_help(session: Session, person_ids: list[UUID], establishment_id: UUID, professional_id: UUID) -> int:
    """Withdraw every permission in force that came by a code, with help or by attendance; returns how many."""
    states = [one for one in list_consents(session, person_ids) if one.status is Status.ACTIVE]
    channels = channels_of(session, [state.id for state in states])
    theirs = [state for state in states if channels.get(state.id) in COUNTER_CHANNELS]
    for state in theirs:
        evidence = CounterEvidence(
            decides_for=state.terms.person_id,
            channel="assisted",
            text="La persona pidió retirar lo que permitió con ayuda o por mensaje de texto.",
            establishment_id=establishment_id,
            professional_id=professional_id,
        )
        revoke_consent(session, state.id, evidence, REASON)
    return len(theirs)
