"""A permission as a patient would have given it, made through the product's own services."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.directives import Terms
from consent_broker.consents.evidence import Evidence
from consent_broker.consents.service import grant_consent, propose_consent
from consent_broker.oauth.grants import Reader, open_grant
from consent_broker.oauth.holder_tokens import Access
from consent_broker.oauth.models import OAuthGrant
from registry.database import now

LASTS = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Permission:
    """A grant, by whom it is used, and what a reading under it is."""

    grant: OAuthGrant
    reader: Reader
    access: Access


def evidence_of(person_id: UUID) -> Evidence:
    """That the person decided it."""
    return Evidence(actor_person_id=person_id, acr=2, auth_time=now(), channel="benchmark", text="benchmark")


def permit(
    session: Session, reader: Reader, person_id: UUID, categories: frozenset[str], scopes: Iterable[str]
) -> Permission:
    """Let the reader read those categories of the person's records for some hours."""
    evidence, ends_at = evidence_of(person_id), now() + LASTS
    terms = Terms(
        person_id=person_id,
        establishment_id=reader.establishment_id,
        professional_id=reader.professional_id,
        categories=categories,
        purposes=frozenset({reader.purpose}),
        ends_at=ends_at,
    )
    consent = grant_consent(session, propose_consent(session, terms, evidence.as_record()), evidence)
    reader = replace(reader, consent_id=consent.id)
    grant = open_grant(session, reader, person_id, scopes, ends_at)
    access = Access(
        establishment_id=grant.establishment_id,
        professional_id=grant.professional_id,
        person_id=person_id,
        purpose=grant.purpose,
        client_id=grant.client_id,
        grant_id=grant.id,
        consent_id=consent.id,
    )
    return Permission(grant, reader, access)
