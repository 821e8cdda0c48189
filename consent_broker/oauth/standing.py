"""Whether an issued token still stands: decided anew by the consents, the directory and the identity of this moment."""

from uuid import UUID

from sqlalchemy.orm import Session

from consent_broker.consents.vocabulary import categories_of
from consent_broker.oauth.clients import find_client
from consent_broker.oauth.grants import Reader, decide_reading, find_grant, unable_professional
from consent_broker.oauth.models import AccessToken, OAuthGrant
from registry.database import made_at, now
from registry.identity.service import regrouped_since
from registry.locator.service import locate

PORTAL_CLIENT = "renhice-portal"
"""The client of tokens the portal reads with: the product itself, so it has no accreditation to lose."""


def stands(session: Session, row: AccessToken) -> bool:
    """Whether what the token rests on still stands: its grant, its client, its professional, and every category."""
    grant = find_grant(session, row.grant_id) if row.grant_id else None
    if row.grant_id is not None and grant is None:
        return False
    if row.client_id != PORTAL_CLIENT and not _is_usable(session, row.client_id):
        return False
    return row.person_id is None or _is_permitted(session, row, row.person_id, grant)


def _is_usable(session: Session, client_id: str) -> bool:
    client = find_client(session, client_id, now())
    return client is not None and client.unusable is None


def _is_permitted(session: Session, row: AccessToken, person_id: UUID, grant: OAuthGrant | None) -> bool:
    reader = Reader(
        establishment_id=row.establishment_id,
        professional_id=row.professional_id,
        purpose=row.purpose or "",
        client_id=row.client_id,
        consent_id=grant.consent_id if grant else None,
    )
    if regrouped_since(session, person_id, made_at(row.id)) or unable_professional(session, reader, now()):
        return False
    if not _is_still_theirs(session, row.patient, person_id):
        return False
    categories = categories_of(row.scopes)
    return decide_reading(session, reader, person_id, categories).categories == categories


def _is_still_theirs(session: Session, source_record_id: str | None, person_id: UUID) -> bool:
    """A record that was unlinked, split off, merged away or contested since is not served under the old consent."""
    return source_record_id is None or any(
        str(holder.source_record_id) == source_record_id and not holder.contested
        for holder in locate(session, person_id)
    )
