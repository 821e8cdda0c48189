"""An issued token together with what it rests on, in one statement: every call and every introspection asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload

from consent_broker.oauth.clients import Client, client_of
from consent_broker.oauth.grants import is_alive
from consent_broker.oauth.models import AccessToken, OAuthGrant
from registry.database import made_at, now
from registry.directory.models import RecordSystem
from registry.identity.models import Person

# Made once: compiling it costs more than running it.
_ISSUED = (
    select(AccessToken, OAuthGrant, RecordSystem, Person.regrouped_at)
    .outerjoin(OAuthGrant, OAuthGrant.id == AccessToken.grant_id)
    .outerjoin(RecordSystem, RecordSystem.client_id == AccessToken.client_id)
    .outerjoin(Person, Person.id == AccessToken.person_id)
    .options(joinedload(RecordSystem.establishment, innerjoin=False))  # the portal's tokens have no record system
    .where(AccessToken.id == bindparam("token_id"))
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that has neither ended nor been revoked, with its grant, its client and its person as they are now."""

    token: AccessToken
    grant: OAuthGrant | None
    client: Client | None
    regrouped_at: datetime | None
    """When the person was last merged or split: what was issued until then has ended."""

    def has_ended(self, session: Session) -> bool:
        """Whether its grant has ended, or its person was merged or split since: a refresh then decides anew."""
        if self.token.grant_id is not None and (self.grant is None or not is_alive(session, self.grant)):
            return True
        return self.regrouped_at is not None and self.regrouped_at >= made_at(self.token.id)


def find_issued(session: Session, token_id: UUID, audience: str) -> Issued | None:
    """The token of that id for that audience, all read anew; None when we hold none or it was revoked or has ended."""
    found = session.execute(_ISSUED, {"token_id": token_id}).one_or_none()
    if found is None:
        return None
    token, grant, system, regrouped_at = found
    moment = now()
    if token.revoked_at is not None or token.expires_at <= moment or token.audience != audience:
        return None
    return Issued(token, grant, client_of(system, moment) if system else None, regrouped_at)


def find_claimed(session: Session, claims: Mapping[str, Any]) -> Issued | None:
    """`find_issued`, of a token whose claims were verified."""
    return find_issued(session, UUID(str(claims["jti"])), str(claims["aud"]))
