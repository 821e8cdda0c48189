"""What an exchange yields: a grant of its own under the consent that permits most, and a token for one audience."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749.errors import InvalidGrantError, OAuth2Error
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.decision import Decision
from consent_broker.consents.service import get_consent
from consent_broker.consents.vocabulary import scope_of
from consent_broker.oauth.clients import Requester
from consent_broker.oauth.grant_tokens import issue_grant_tokens
from consent_broker.oauth.grants import Reader, decide_reading, decision_event, open_grant, unable_professional
from consent_broker.oauth.holder_tokens import Access, Holder, find_holders, issue_ticket
from consent_broker.oauth.models import OAuthGrant
from registry.audit.service import record
from registry.database import now
from registry.identity.service import stands_for_itself

Json = dict[str, Any]


class InvalidTarget(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """The audience is none a token can be had for (RFC 8693 §2.2.2)."""

    error = "invalid_target"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Who reads whom, which categories; `grant_id` when a grant token is exchanged, None under a standing consent."""

    person_id: UUID
    reader: Reader
    categories: frozenset[str]
    grant_id: UUID | None = None


def exchange_for_gateway(session: Session, broker: Broker, requester: Requester, exchange: Exchange) -> Json:
    """A token for the gateway under the person's standing consent; raises InvalidGrantError where there is none."""
    reader, decision = _decide(session, exchange)
    grant = _open(session, broker, exchange, reader, decision)
    return issue_grant_tokens(session, broker, requester, grant, frozenset(grant.scopes), refreshable=False)


def exchange_for_holder(
    session: Session, broker: Broker, requester: Requester, exchange: Exchange, target: str
) -> Json:
    """A token for one holder's own address, bound to the client's key; raises InvalidGrantError, InvalidTarget."""
    if requester.jkt is None:
        raise InvalidTarget("A holder's token is bound to a key: only record systems of the fapi2 profile get one")
    reader, decision = _decide(session, exchange)
    holder = _holder(session, exchange, decision, target)
    grant_id = exchange.grant_id or _open(session, broker, exchange, reader, decision).id
    access = Access(
        establishment_id=reader.establishment_id,
        professional_id=reader.professional_id,
        person_id=exchange.person_id,
        purpose=reader.purpose,
        client_id=reader.client_id,
        grant_id=grant_id,
        consent_id=reader.consent_id,
        details=session.get_one(OAuthGrant, grant_id).authorization_details,
    )
    ticket = issue_ticket(session, broker, access, decision, holder, jkt=requester.jkt)
    categories = decision.categories_at(holder.establishment_id)
    return {
        "access_token": ticket.token.value,
        "token_type": ticket.token.type,
        "expires_in": ticket.token.expires_in,
        "scope": " ".join(sorted(map(scope_of, categories))),
        "patient": str(holder.source_record_id),
    }


def _decide(session: Session, exchange: Exchange) -> tuple[Reader, Decision]:
    """The decision, audited, and the reader under the one consent it then rests on; raises InvalidGrantError.

    Without a consent of a grant it is the one under which most of what was asked is permitted: what is issued ends with
    it, whatever else the person permits.
    """
    if unable_professional(session, exchange.reader, now()):
        raise InvalidGrantError("The professional may not act now")
    if not stands_for_itself(session, exchange.person_id):
        raise InvalidGrantError("Not permitted: no-consent")
    reader = exchange.reader
    if reader.consent_id is None:
        found = decide_reading(session, reader, exchange.person_id, exchange.categories)
        readers = [replace(reader, consent_id=consent_id) for consent_id in found.consent_ids if found.permit]
        reader = max(readers, key=lambda one: _reach(session, one, exchange), default=reader)
    decision = decide_reading(session, reader, exchange.person_id, exchange.categories)
    record(session, decision_event(reader, exchange.person_id, decision))
    if not decision.permit:
        raise InvalidGrantError(f"Not permitted: {decision.public_reason}")
    return reader, decision


def _reach(session: Session, reader: Reader, exchange: Exchange) -> tuple[int, UUID | None]:
    decision = decide_reading(session, reader, exchange.person_id, exchange.categories)
    return len(decision.categories), reader.consent_id


def _open(session: Session, broker: Broker, exchange: Exchange, reader: Reader, decision: Decision) -> OAuthGrant:
    """A grant that lives as long as its one token."""
    ends_at = now() + timedelta(seconds=broker.settings.access_token_seconds)
    consent = get_consent(session, decision.consent_ids[0])
    ends_at = min(ends_at, consent.terms.ends_at or ends_at)
    grant = open_grant(session, reader, exchange.person_id, map(scope_of, decision.categories), ends_at)
    grant.exchanged = True
    session.flush()
    return grant


def _holder(session: Session, exchange: Exchange, decision: Decision, target: str) -> Holder:
    """The one holder of that address from which something is permitted; all other cases look alike."""
    found = [
        one
        for one in find_holders(session, exchange.person_id)
        if one.endpoint is not None and one.endpoint.rstrip("/") == target
        if not one.contested and decision.categories_at(one.establishment_id)
    ]
    if len(found) != 1:
        raise InvalidTarget("No single record of this patient can be read there")
    return found[0]
