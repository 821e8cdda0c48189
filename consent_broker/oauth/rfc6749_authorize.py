"""The authorization endpoint (RFC 6749 §4.1.1): validate all, store it, and send the browser to the patient's page.

Until client and redirect URI are verified nothing is ever redirected (RFC 6749 §4.1.2.1, RFC 9700 §4.11).
"""

from datetime import timedelta

from authlib.oauth2.rfc6749.errors import OAuth2Error
from flask import Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.consents.models import AccessRequest
from consent_broker.oauth.clients import Client, find_client
from consent_broker.oauth.launches import find_launch, scopes_asked
from consent_broker.oauth.models import AuthorizationRequest
from consent_broker.oauth.opaque import digest, new_secret
from consent_broker.oauth.rfc7636_pkce import is_challenge
from consent_broker.oauth.rfc9207_redirects import answer_url, see_other
from registry.database import now
from registry.errors import InvalidInput

LIFETIME = timedelta(minutes=10)
MAX_STATE = 2_048
MAX_WAITING = 500
"""Unanswered requests a client may have at once: whoever knows a client's id can make them, and each is a row."""

MAX_WAITING_OF_LAUNCH = 20
"""The same of one access request, counted apart: whoever fills up a client's other requests does not hinder these."""

_NOT_OFFERED = {"request": "request_not_supported", "request_uri": "request_uri_not_supported",
                "registration": "registration_not_supported"}  # fmt: skip


class UnsafeAuthorization(InvalidInput):
    """Where the browser came from is not certain, so it is sent nowhere; a person reads this, in Spanish."""

    code = "portal-unsafe-authorization"

    def __init__(self, debug: str) -> None:
        super().__init__(
            "El sistema que le envió aquí no se identificó bien.",
            hint="No se compartió nada. Cierre esta página y avise al establecimiento que le pidió el permiso.",
            debug=debug,
        )


class _Refused(Exception):
    """An error the client is told by redirect."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error, self.description = error, description


def authorize(session: Session, broker: Broker, parameters: dict[str, str]) -> Response:
    """Start an authorization: 303 to `/autorizar/{challenge}`, or to the client with an error and `iss`.

    Raises UnsafeAuthorization, shown to the person and not redirected, when client or redirect URI is not certain.
    """
    client, redirect_uri = _certain_destination(session, parameters)
    try:
        challenge = _store(session, broker, client, redirect_uri, parameters)
    except _Refused as refused:
        answer = {"error": refused.error, "error_description": refused.description}
        state = parameters.get("state", "")[:MAX_STATE] or None
        return see_other(answer_url(broker.issuer, redirect_uri, answer | {"state": state}))
    return see_other(f"{broker.issuer}/autorizar/{challenge}")


def _certain_destination(session: Session, parameters: dict[str, str]) -> tuple[Client, str]:
    client = find_client(session, parameters.get("client_id", ""), now())
    if client is None or client.unusable:
        raise UnsafeAuthorization("unknown or unusable client")
    redirect_uri = parameters.get("redirect_uri")
    if redirect_uri is None or not client.check_redirect_uri(redirect_uri):
        raise UnsafeAuthorization("redirect_uri not registered")
    return client, redirect_uri


def _store(session: Session, broker: Broker, client: Client, redirect_uri: str, parameters: dict[str, str]) -> str:
    _check_form(broker, parameters)
    try:
        launch = find_launch(session, client, parameters["launch"]) if "launch" in parameters else None
        scopes = scopes_asked(client, parameters.get("scope"), launch)
    except OAuth2Error as error:
        raise _Refused(str(error.error), str(error.description)) from None
    _check_waiting(session, client, launch)
    challenge = new_secret()
    session.add(
        AuthorizationRequest(
            challenge_hash=digest(challenge),
            client_id=client.client_id,
            establishment_id=client.establishment_id,
            redirect_uri=redirect_uri,
            scopes=sorted(scopes),
            state=parameters.get("state"),
            code_challenge=parameters["code_challenge"],
            access_request_id=launch.id if launch else None,
            expires_at=now() + LIFETIME,
        )
    )
    return challenge


def _check_form(broker: Broker, parameters: dict[str, str]) -> None:
    for name, error in _NOT_OFFERED.items():
        if name in parameters:
            raise _Refused(error, f"{name} is not offered")
    if parameters.get("response_type") != "code":
        raise _Refused("unsupported_response_type", "response_type must be code")
    if parameters.get("response_mode", "query") != "query":
        raise _Refused("invalid_request", "response_mode must be query")
    if len(parameters.get("state", "")) > MAX_STATE:
        raise _Refused("invalid_request", f"state is limited to {MAX_STATE} characters")
    if not is_challenge(parameters.get("code_challenge"), parameters.get("code_challenge_method")):
        raise _Refused("invalid_request", "PKCE with code_challenge_method S256 is required")
    _check_audience(broker, parameters)


def _check_audience(broker: Broker, parameters: dict[str, str]) -> None:
    """SMART `aud` and RFC 8707 `resource` may name nothing but the gateway."""
    gateway = {broker.audience("/exchange"), broker.audience("/exchange/fhir")}
    if parameters.get("aud", broker.audience("/exchange")).rstrip("/") not in gateway:
        raise _Refused("invalid_request", "aud must be the exchange's FHIR base")
    if parameters.get("resource", broker.audience("/exchange")).rstrip("/") not in gateway:
        raise _Refused("invalid_target", "resource must be the exchange")


def _check_waiting(session: Session, client: Client, launch: AccessRequest | None) -> None:
    """Only what has not ended is counted, so that turning away ends by itself within ten minutes."""
    query = select(func.count()).where(
        AuthorizationRequest.client_id == client.client_id,
        AuthorizationRequest.access_request_id.is_not_distinct_from(launch.id if launch else None),
        AuthorizationRequest.decided_at.is_(None),
        AuthorizationRequest.expires_at > now(),
    )
    if (session.scalar(query) or 0) >= (MAX_WAITING_OF_LAUNCH if launch else MAX_WAITING):
        raise _Refused("temporarily_unavailable", "Too many requests of this application wait for an answer")
