"""What an authorization request may ask (RFC 6749 §4.1.1, RFC 7636, SMART App Launch): validated whole, then stored.

It comes through the browser (`smart`) or pushed (`fapi2`, RFC 9126); what is checked is the same, where the error goes
is not.
"""

from dataclasses import dataclass
from datetime import timedelta

from authlib.oauth2.rfc6749.errors import OAuth2Error
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.models import AccessRequest
from consent_broker.oauth.clients import Client
from consent_broker.oauth.launches import find_launch, scopes_asked
from consent_broker.oauth.models import AuthorizationRequest
from consent_broker.oauth.opaque import digest
from consent_broker.oauth.rfc7636_pkce import is_challenge
from consent_broker.oauth.rfc9396_rar import Details, InvalidAuthorizationDetails, read_details
from registry.database import now

LIFETIME = timedelta(minutes=10)
"""How long the patient has for signing in and answering."""

MAX_STATE = 2_048
MAX_WAITING = 500
"""Unanswered requests a client may have at once: whoever knows a client's id can make them, and each is a row."""

MAX_WAITING_OF_LAUNCH = 20
"""The same of one access request, counted apart: whoever fills up a client's other requests does not hinder these."""

_NOT_OFFERED = {"request": "request_not_supported", "request_uri": "request_uri_not_supported",
                "registration": "registration_not_supported"}  # fmt: skip


class RefusedRequest(Exception):
    """An authorization request that can't be served: an OAuth error code and what to tell the client's developer."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error, self.description = error, description


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a request is kept under, the key its code is bound to, and for how long a pushed one may be presented."""

    challenge: str
    jkt: str | None = None
    pushed_for: timedelta | None = None


def store_request(
    session: Session, broker: Broker, client: Client, parameters: dict[str, str], arrival: Arrival
) -> None:
    """Validate and keep a request whose redirect URI is known to be the client's; raises RefusedRequest."""
    _check_form(broker, parameters)
    try:
        launch = find_launch(session, client, parameters["launch"]) if "launch" in parameters else None
        details = _details(session, client, parameters, launch)
        scope = parameters.get("scope")
        scopes = scopes_asked(client, details.scope(scope) if details else scope, launch)
    except OAuth2Error as error:
        raise RefusedRequest(str(error.error), str(error.description)) from None
    _check_waiting(session, client, launch)
    moment = now()
    session.add(
        AuthorizationRequest(
            challenge_hash=digest(arrival.challenge),
            client_id=client.client_id,
            establishment_id=client.establishment_id,
            redirect_uri=parameters["redirect_uri"],
            scopes=sorted(scopes),
            state=parameters.get("state"),
            code_challenge=parameters["code_challenge"],
            jkt=arrival.jkt,
            authorization_details=details.as_json() if details else None,
            access_request_id=launch.id if launch else None,
            created_at=moment,
            pushed_until=moment + arrival.pushed_for if arrival.pushed_for else None,
            expires_at=moment + (arrival.pushed_for or LIFETIME),
        )
    )


def _details(
    session: Session, client: Client, parameters: dict[str, str], launch: AccessRequest | None
) -> Details | None:
    """What is asked exactly, within what the access request asks (RFC 9396)."""
    text = parameters.get("authorization_details")
    if text is None:
        return None
    if not client.profile.detailed:
        raise InvalidAuthorizationDetails("An app asks by scopes")
    details = read_details(session, text)
    if launch is not None and (details.purpose != launch.purpose or (details.ends_at or now()) > launch.ends_at):
        raise InvalidAuthorizationDetails("The access request has another purpose, or ends earlier")
    return details


def _check_form(broker: Broker, parameters: dict[str, str]) -> None:
    for name, error in _NOT_OFFERED.items():
        if name in parameters:
            raise RefusedRequest(error, f"{name} is not offered")
    if "response_type" not in parameters:
        raise RefusedRequest("invalid_request", "response_type is required")
    if parameters["response_type"] != "code":
        raise RefusedRequest("unsupported_response_type", "response_type must be code")
    if parameters.get("response_mode", "query") != "query":
        raise RefusedRequest("invalid_request", "response_mode must be query")
    if len(parameters.get("state", "")) > MAX_STATE:
        raise RefusedRequest("invalid_request", f"state is limited to {MAX_STATE} characters")
    if not is_challenge(parameters.get("code_challenge"), parameters.get("code_challenge_method")):
        raise RefusedRequest("invalid_request", "PKCE with code_challenge_method S256 is required")
    _check_audience(broker, parameters)


def _check_audience(broker: Broker, parameters: dict[str, str]) -> None:
    """SMART `aud` and RFC 8707 `resource` may name nothing but the gateway."""
    gateway = {broker.audience("/exchange"), broker.audience("/exchange/fhir")}
    if parameters.get("aud", broker.audience("/exchange")).rstrip("/") not in gateway:
        raise RefusedRequest("invalid_request", "aud must be the exchange's FHIR base")
    if parameters.get("resource", broker.audience("/exchange")).rstrip("/") not in gateway:
        raise RefusedRequest("invalid_target", "resource must be the exchange")


def _check_waiting(session: Session, client: Client, launch: AccessRequest | None) -> None:
    """Only what has not ended is counted, so that turning away ends by itself within ten minutes."""
    query = select(func.count()).where(
        AuthorizationRequest.client_id == client.client_id,
        AuthorizationRequest.access_request_id.is_not_distinct_from(launch.id if launch else None),
        AuthorizationRequest.decided_at.is_(None),
        AuthorizationRequest.expires_at > now(),
    )
    if (session.scalar(query) or 0) >= (MAX_WAITING_OF_LAUNCH if launch else MAX_WAITING):
        raise RefusedRequest("temporarily_unavailable", "Too many requests of this application wait for an answer")
