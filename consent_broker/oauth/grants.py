"""Grants: the family of a code, its refresh tokens and access tokens; it lives and dies as one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from consent_broker.consents.decision import AccessQuery, Decision
from consent_broker.consents.service import decide_access, get_consent
from consent_broker.consents.vocabulary import Status, categories_of
from consent_broker.oauth.models import OAuthGrant
from registry import outbox
from registry.audit.event import Event
from registry.audit.service import record, record_now
from registry.database import new_id, now
from registry.directory.service import unable_to_act


class Grant(NamedTuple):
    """A grant as a row (see `OAuthGrant`): what the busiest paths read, and nobody changes."""

    id: UUID
    client_id: str
    establishment_id: UUID
    professional_id: UUID | None
    person_id: UUID
    purpose: str
    consent_id: UUID
    scopes: list[str]
    authorization_details: dict[str, Any] | None
    expires_at: datetime
    revoked_at: datetime | None


AnyGrant = OAuthGrant | Grant


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who wants to read: an establishment, for a purpose, through a client, with a professional if one is named."""

    establishment_id: UUID
    professional_id: UUID | None
    purpose: str
    client_id: str | None
    consent_id: UUID | None = None
    """The consent a grant rests on; None decides by everything the person permits."""


def find_grant(session: Session, grant_id: UUID) -> OAuthGrant | None:
    """A grant that has neither ended nor been revoked, read anew."""
    grant = session.get(OAuthGrant, grant_id, populate_existing=True)
    return grant if grant is not None and is_alive(session, grant) else None


def is_alive(session: Session, grant: AnyGrant) -> bool:
    """Whether a grant has neither ended nor been revoked."""
    return grant.revoked_at is None and grant.expires_at > now() and _says_what_holds(session, grant)


def _says_what_holds(session: Session, grant: AnyGrant) -> bool:
    """One whose tokens say exactly what was granted does not pass on to the wider consent that took its place."""
    return grant.authorization_details is None or get_consent(session, grant.consent_id).status is not Status.SUPERSEDED


def open_grant(
    session: Session, reader: Reader, person_id: UUID, scopes: Iterable[str], ends_at: datetime
) -> OAuthGrant:
    """Record what a person granted a client under a consent; each of its tokens is decided anew."""
    grant = OAuthGrant(
        id=new_id(),
        client_id=reader.client_id,
        establishment_id=reader.establishment_id,
        professional_id=reader.professional_id,
        person_id=person_id,
        purpose=reader.purpose,
        consent_id=reader.consent_id,
        scopes=sorted(scopes),
        expires_at=ends_at,
    )
    session.add(grant)
    session.flush()
    return grant


def reader_of(grant: AnyGrant) -> Reader:
    """The reader a grant was given to."""
    return Reader(
        establishment_id=grant.establishment_id,
        professional_id=grant.professional_id,
        purpose=grant.purpose,
        client_id=grant.client_id,
        consent_id=grant.consent_id,
    )


def decide_reading(session: Session, reader: Reader, person_id: UUID, categories: Iterable[str]) -> Decision:
    """Decide by the consents of this moment."""
    query = AccessQuery(
        person_id=person_id,
        establishment_id=reader.establishment_id,
        professional_id=reader.professional_id,
        purpose=reader.purpose,
        categories=frozenset(categories),
    )
    return decide_access(session, query, reader.consent_id)


def decision_event(reader: Reader, person_id: UUID, decision: Decision) -> Event:
    """The audit event of a decision (IHE BALP AuthZconsent): outcome, why, which consents, by which policy."""
    return Event(
        action="consent:access:decided",
        outcome="success" if decision.permit else "refused",
        reason=decision.reason.value,
        person_id=person_id,
        establishment_id=reader.establishment_id,
        client_id=reader.client_id,
        professional_id=reader.professional_id,
        actor_role="professional",
        purpose=reader.purpose,
        consent_id=decision.consent_ids[0] if decision.consent_ids else None,
        detail={
            "explanation": decision.explanation,
            "consents": [str(consent_id) for consent_id in decision.consent_ids],
            "policy": decision.policy_version,
        },
    )


def decide_grant(session: Session, grant: AnyGrant, scopes: Iterable[str]) -> Decision:
    """Decide for the record scopes of a grant, and audit it before anything is issued."""
    reader = reader_of(grant)
    decision = decide_reading(session, reader, grant.person_id, categories_of(scopes))
    record_now(session, decision_event(reader, grant.person_id, decision))
    return decision


def unable_professional(session: Session, reader: Reader, moment: datetime) -> str | None:
    """Why the professional may not act there now, None when able or nobody is named."""
    if reader.professional_id is None:
        return None
    return unable_to_act(session, reader.professional_id, reader.establishment_id, moment)


def revoke_grant(session: Session, grant_id: UUID, because: str) -> None:
    """End a grant and with it every code and token of its family; doing it twice changes nothing."""
    statement = (
        update(OAuthGrant)
        .where(OAuthGrant.id == grant_id, OAuthGrant.revoked_at.is_(None))
        .values(revoked_at=now(), revoked_because=because)
        .returning(OAuthGrant)
    )
    grant = session.scalar(statement)
    if grant is None:
        return
    event = Event(
        action="oauth:grant:revoked",
        reason=because,
        person_id=grant.person_id,
        establishment_id=grant.establishment_id,
        client_id=grant.client_id,
        professional_id=grant.professional_id,
        purpose=grant.purpose,
        consent_id=grant.consent_id,
        detail={"grant": str(grant.id)},
    )
    record(session, event)
    outbox.publish(session, "oauth:grant:revoked", str(grant.id), {"person_id": str(grant.person_id)})
