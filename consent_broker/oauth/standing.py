"""Whether an issued token still stands: decided anew by the consents, the directory and the identity of this moment."""

from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.decision import Decision
from consent_broker.consents.residual import as_claim, residual
from consent_broker.consents.vocabulary import PATIENT_REQUEST, categories_of
from consent_broker.oauth.grants import Reader, decide_reading
from consent_broker.oauth.issued import Issued, Token
from registry.identity.service import is_deceased

PORTAL_CLIENT = "renhice-portal"
"""The client of tokens the portal reads with: the product itself, so it has no accreditation to lose."""


def stands(session: Session, issued: Issued) -> bool:
    """Whether what the token rests on still stands: its grant, its client, its professional, and every category."""
    row = issued.token
    if issued.has_ended(session):
        return False
    if row.client_id != PORTAL_CLIENT and issued.unusable:
        return False
    return row.person_id is None or _is_permitted(session, issued, row.person_id)


def _is_permitted(session: Session, issued: Issued, person_id: UUID) -> bool:
    row = issued.token
    if row.professional_id is not None and not issued.able:
        return False
    if row.patient and issued.holder_id is None:
        return False
    if row.purpose == PATIENT_REQUEST:
        return row.client_id == PORTAL_CLIENT and not is_deceased(session, person_id)
    reader = Reader(
        establishment_id=row.establishment_id,
        professional_id=row.professional_id,
        purpose=row.purpose or "",
        client_id=row.client_id,
        consent_id=issued.grant.consent_id if issued.grant else None,
    )
    decision = decide_reading(session, reader, person_id, _categories(row))
    return _permits_as_much(decision, row, issued.holder_id)


def _permits_as_much(decision: Decision, row: Token, holder_id: UUID | None) -> bool:
    """Every category of the token is still permitted, and of a holder's token no more is to be withheld, nor less."""
    categories = _categories(row)
    if holder_id is None:
        return decision.categories == categories
    if decision.categories_at(holder_id) != categories:
        return False
    return as_claim(residual(decision, holder_id), categories) == (row.residual or [])


def _categories(row: Token) -> frozenset[str]:
    """The categories a token rests on: those of its scopes, or those of the document it is for."""
    return categories_of(row.scopes) if row.categories is None else frozenset(row.categories)
