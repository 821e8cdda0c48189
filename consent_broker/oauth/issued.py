"""An issued token together with what it rests on, in one statement: every call and every introspection asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Uuid, bindparam, cast, select
from sqlalchemy.orm import Session

from consent_broker.oauth.grants import Grant, is_alive
from consent_broker.oauth.models import AccessToken, OAuthGrant
from registry.database import made_at, now, table_of
from registry.directory.models import why_unusable
from registry.directory.registered import AT_PLACE, PLACES, SYSTEMS
from registry.directory.service import able_to_act
from registry.identity.models import Person
from registry.locator.service import holder_of
from registry.questions import Question

TOKENS, GRANTS, PERSONS = table_of(AccessToken), table_of(OAuthGrant), table_of(Person)


class Token(NamedTuple):
    """What stands in the books about a token (see `AccessToken`)."""

    id: UUID
    kind: str
    client_id: str
    establishment_id: UUID
    audience: str
    scopes: list[str]
    expires_at: datetime
    revoked_at: datetime | None
    grant_id: UUID | None
    person_id: UUID | None
    professional_id: UUID | None
    purpose: str | None
    patient: str | None
    residual: list[Any] | None
    categories: list[str] | None
    staff: str | None


# Made once: compiling it costs more than running it. The portal's tokens have no record system, so all joins are outer.
_ISSUED = Question(
    select(
        *(TOKENS.c[name] for name in Token._fields),
        *(GRANTS.c[name] for name in Grant._fields),
        SYSTEMS.c.client_id,
        PLACES.c.active,
        SYSTEMS.c.suspended_at,
        SYSTEMS.c.accredited_from,
        SYSTEMS.c.accredited_until,
        PERSONS.c.regrouped_at,
        able_to_act(TOKENS.c.professional_id, TOKENS.c.establishment_id),
        holder_of(cast(TOKENS.c.patient, Uuid), TOKENS.c.person_id),
    )
    .select_from(TOKENS)
    .outerjoin(GRANTS, GRANTS.c.id == TOKENS.c.grant_id)
    .outerjoin(SYSTEMS, SYSTEMS.c.client_id == TOKENS.c.client_id)
    .outerjoin(PLACES, AT_PLACE)
    .outerjoin(PERSONS, PERSONS.c.id == TOKENS.c.person_id)
    .where(TOKENS.c.id == bindparam("token_id"))
)


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that has neither ended nor been revoked, with what it rests on as that is now."""

    token: Token
    grant: Grant | None
    unusable: str | None
    """Why its client may not be served now; None where it may."""

    regrouped_at: datetime | None
    """When the person was last merged or split: what was issued until then has ended."""

    able: bool | None
    """Whether the professional it names may act at the establishment; None where it names none, or nobody known."""

    holder_id: UUID | None
    """Who holds the source record it names; None where the record is no longer the person's, or contested."""

    def has_ended(self, session: Session) -> bool:
        """Whether its grant has ended, or its person was merged or split since: a refresh then decides anew."""
        if self.token.grant_id is not None and (self.grant is None or not is_alive(session, self.grant)):
            return True
        return self.regrouped_at is not None and self.regrouped_at >= made_at(self.token.id)


def find_issued(session: Session, token_id: UUID, audience: str) -> Issued | None:
    """The token of that id for that audience, all read anew; None when we hold none or it was revoked or has ended."""
    moment = now()
    row = _ISSUED.ask_one(session, token_id=token_id, moment=moment)
    if row is None:
        return None
    values = iter(row)
    token = Token._make(islice(values, len(Token._fields)))
    grant = Grant._make(islice(values, len(Grant._fields)))
    client_id, active, suspended_at, since, until = islice(values, 5)
    if token.revoked_at is not None or token.expires_at <= moment or token.audience != audience:
        return None
    unusable = why_unusable(active, suspended_at, since, until, moment) if client_id else "unknown-client"
    return Issued(token, grant if grant.id else None, unusable, *values)


def find_claimed(session: Session, claims: Mapping[str, Any]) -> Issued | None:
    """`find_issued`, of a token whose claims were verified."""
    return find_issued(session, UUID(str(claims["jti"])), str(claims["aud"]))
