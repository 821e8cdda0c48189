"""The tokens of a grant: an access token for the gateway and, with offline_access, the next refresh token."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidScopeError
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.vocabulary import categories_of, scope_of
from consent_broker.oauth.clients import Requester
from consent_broker.oauth.grants import AnyGrant, decide_grant, reader_of
from consent_broker.oauth.models import RefreshToken
from consent_broker.oauth.opaque import digest, new_secret
from consent_broker.oauth.readers import REPLACED, find_party
from consent_broker.oauth.rfc9068_tokens import TokenSpec, issue_token
from consent_broker.oauth.rfc9396_rar import load_details
from consent_broker.oauth.scopes import RECORD_SCOPES
from registry.audit.event import Event
from registry.audit.service import record

SURFACE = "/exchange"


def issue_grant_tokens(
    session: Session,
    broker: Broker,
    requester: Requester,
    grant: AnyGrant,
    asked: frozenset[str],
    *,
    refreshable: bool = True,
) -> dict[str, Any]:
    """Decide again, then issue what is permitted of `asked`, bound to the client's key (RFC 6749 §5.1).

    `refreshable`: whether a refresh token may come with it.
    Issued ⊆ asked ∩ granted ∩ the client's now ∩ consented now. Raises InvalidGrantError when nothing of it is left.
    """
    if not asked & RECORD_SCOPES:
        raise InvalidScopeError("Ask for at least one record scope")
    scopes = asked & frozenset(grant.scopes) & requester.client.scopes
    if not scopes & RECORD_SCOPES:
        record(session, _beyond_client(grant, asked))
        raise InvalidGrantError("The application is no longer registered for these scopes")
    permitted = _permitted(session, grant, scopes)
    token = issue_token(session, broker, _spec(broker, grant, permitted, requester.jkt))
    body: dict[str, Any] = {
        "access_token": token.value,
        "token_type": token.type,
        "expires_in": token.expires_in,
        "scope": " ".join(sorted(permitted | (scopes & {"offline_access"}))),
        "patient": str(grant.person_id),
    }
    details = granted_details(grant, permitted)
    if details is not None:
        body["authorization_details"] = details
    if refreshable and "offline_access" in scopes:
        body["refresh_token"] = _new_refresh_token(session, grant, requester.jkt)
    return body


def _permitted(session: Session, grant: AnyGrant, scopes: frozenset[str]) -> frozenset[str]:
    """Those of the scopes that the person's consents permit now; raises InvalidGrantError where there is none."""
    _, fault = find_party(session, reader_of(grant), grant.person_id)
    if fault == REPLACED:
        raise InvalidGrantError("The patient's identity was merged with another: ask the patient anew")
    if fault:
        raise InvalidGrantError("The professional may not act now")
    decision = decide_grant(session, grant, scopes)
    if not decision.permit:
        raise InvalidGrantError(f"Not permitted: {decision.public_reason}")
    return frozenset(scope_of(category) for category in decision.categories)


def granted_details(grant: AnyGrant, scopes: Iterable[str]) -> list[dict[str, Any]] | None:
    """What of the granted details (RFC 9396 §7) those scopes carry; None where nothing was asked so."""
    if grant.authorization_details is None:
        return None
    granted = load_details(grant.authorization_details)
    return [replace(granted, categories=granted.categories & categories_of(scopes)).as_json()]


def _spec(broker: Broker, grant: AnyGrant, scopes: frozenset[str], jkt: str | None) -> TokenSpec:
    claims: dict[str, Any] = {"patient": str(grant.person_id)}
    details = granted_details(grant, scopes)
    if details is not None:
        claims["authorization_details"] = details
    if grant.professional_id:
        claims["act"] = {"sub": str(grant.professional_id)}
    return TokenSpec(
        kind="grant",
        client_id=grant.client_id,
        establishment_id=grant.establishment_id,
        audience=broker.audience(SURFACE),
        scopes=scopes,
        subject=str(grant.person_id),
        jkt=jkt,
        grant_id=grant.id,
        person_id=grant.person_id,
        professional_id=grant.professional_id,
        purpose=grant.purpose,
        consent_id=grant.consent_id,
        claims=claims,
    )


def _beyond_client(grant: AnyGrant, asked: frozenset[str]) -> Event:
    return Event(
        action="oauth:token:issued",
        outcome="refused",
        reason="scope-withdrawn",
        person_id=grant.person_id,
        establishment_id=grant.establishment_id,
        client_id=grant.client_id,
        professional_id=grant.professional_id,
        actor_role="professional",
        purpose=grant.purpose,
        consent_id=grant.consent_id,
        detail={"scopes": sorted(asked)},
    )


def _new_refresh_token(session: Session, grant: AnyGrant, jkt: str | None) -> str:
    secret = new_secret()
    session.add(
        RefreshToken(
            token_hash=digest(secret),
            grant_id=grant.id,
            client_id=grant.client_id,
            jkt=jkt,
            expires_at=grant.expires_at,
        )
    )
    return secret
