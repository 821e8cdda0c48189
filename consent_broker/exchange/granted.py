"""What the caller's grant token lets it read: one patient, for the purpose and under the consent it was given for."""

from uuid import UUID

from consent_broker.oauth.holder_tokens import Access
from consent_broker.oauth.rfc6750_tokens import presented_grant
from registry.access import caller
from registry.audit.event import Event
from registry.errors import Forbidden


def granted_access(patient: UUID) -> Access:
    """The access of the caller's grant, for the patient who gave it and nobody else; another looks like an unknown one.

    Raises Forbidden, audited.
    """
    grant = presented_grant()
    if grant is None or grant.person_id != patient:
        raise Forbidden("The access token is not for this patient.", code="another-patient", audit=_refusal(patient))
    return Access(
        establishment_id=grant.establishment_id,
        professional_id=grant.professional_id,
        person_id=grant.person_id,
        purpose=grant.purpose,
        client_id=grant.client_id,
        grant_id=grant.id,
        consent_id=grant.consent_id,
        details=grant.authorization_details,
    )


def granted_patient() -> UUID:
    """The patient of the caller's grant; raises Forbidden for a token of none."""
    grant = presented_grant()
    if grant is None:
        raise Forbidden("The access token is for no patient.", code="another-patient", audit=_refusal(None))
    return grant.person_id


def _refusal(patient: UUID | None) -> Event:
    return Event(
        action="exchange:records:read",
        outcome="refused",
        reason="another-patient",
        person_id=patient,
        client_id=caller().client_id,
        establishment_id=caller().establishment_id,
        token_id=caller().token_id,
        actor_role="professional",
    )
