"""Whether an issued token still stands: decided anew by the consents, the directory and the identity of this moment."""

from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.decision import Decision
from consent_broker.consents.residual import as_claim, residual
from consent_broker.consents.vocabulary import categories_of
from consent_broker.oauth.grants import Reader, decide_reading, unable_professional
from consent_broker.oauth.issued import Issued
from consent_broker.oauth.models import AccessToken, OAuthGrant
from registry.database import now
from registry.locator.service import Holder, locate

PORTAL_CLIENT = "renhice-portal"
"""The client of tokens the portal reads with: the product itself, so it has no accreditation to lose."""


def stands(session: Session, issued: Issued) -> bool:
    """Whether what the token rests on still stands: its grant, its client, its professional, and every category."""
    row = issued.token
    if issued.has_ended(session):
        return False
    if row.client_id != PORTAL_CLIENT and (issued.client is None or issued.client.unusable):
        return False
    return row.person_id is None or _is_permitted(session, row, row.person_id, issued.grant)


def _is_permitted(session: Session, row: AccessToken, person_id: UUID, grant: OAuthGrant | None) -> bool:
    reader = Reader(
        establishment_id=row.establishment_id,
        professional_id=row.professional_id,
        purpose=row.purpose or "",
        client_id=row.client_id,
        consent_id=grant.consent_id if grant else None,
    )
    if unable_professional(session, reader, now()):
        return False
    holder = _holder(session, row.patient, person_id) if row.patient else None
    if row.patient and holder is None:
        return False
    decision = decide_reading(session, reader, person_id, _categories(row))
    return _permits_as_much(decision, row, holder)


def _permits_as_much(decision: Decision, row: AccessToken, holder: Holder | None) -> bool:
    """Every category of the token is still permitted, and of a holder's token no more is to be withheld, nor less."""
    categories = _categories(row)
    if holder is None:
        return decision.categories == categories
    source = holder.establishment_id
    return decision.categories_at(source) == categories and as_claim(residual(decision, source), categories) == (
        row.residual or []
    )


def _categories(row: AccessToken) -> frozenset[str]:
    """The categories a token rests on: those of its scopes, or those of the document it is for."""
    return categories_of(row.scopes) if row.categories is None else frozenset(row.categories)


def _holder(session: Session, source_record_id: str, person_id: UUID) -> Holder | None:
    """The record's holder; a record unlinked, split off, merged away or contested since has none under the consent."""
    found = (one for one in locate(session, person_id) if str(one.source_record_id) == source_record_id)
    return next((one for one in found if not one.contested), None)
