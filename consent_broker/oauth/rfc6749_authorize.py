"""The authorization endpoint (RFC 6749 §3.1): from the client's link to the patient's page, or back with an error.

Until client and redirect URI are verified nothing is ever redirected (RFC 6749 §4.1.2.1, RFC 9700 §4.11).
"""

from flask import Response
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.oauth.clients import Client, find_client
from consent_broker.oauth.opaque import new_secret
from consent_broker.oauth.rfc6749_authorization_request import MAX_STATE, Arrival, RefusedRequest, store_request
from consent_broker.oauth.rfc9126_par import open_pushed
from consent_broker.oauth.rfc9207_redirects import answer_url, see_other
from registry.database import now
from registry.errors import InvalidInput


class UnsafeAuthorization(InvalidInput):
    """Where the browser came from is not certain, so it is sent nowhere; a person reads this, in Spanish."""

    code = "portal-unsafe-authorization"

    def __init__(self, debug: str) -> None:
        super().__init__(
            "El sistema que le envió aquí no se identificó bien.",
            hint="No se compartió nada. Cierre esta página y avise al establecimiento que le pidió el permiso.",
            debug=debug,
        )


class EndedAuthorization(InvalidInput):
    """A pushed request that was answered, has ended, or never was; a person reads this, in Spanish."""

    code = "portal-ended-authorization"

    def __init__(self) -> None:
        super().__init__(
            "Este pedido de permiso ya fue respondido o venció.",
            hint="Si todavía quiere darlo, pida al establecimiento que lo envíe otra vez.",
        )


def authorize(session: Session, broker: Broker, parameters: dict[str, str]) -> Response:
    """Start an authorization: 303 to `/autorizar/{challenge}`, or to the client with an error and `iss`.

    Raises UnsafeAuthorization or EndedAuthorization, shown to the person and not redirected, when client, redirect URI
    or pushed request is not certain.
    """
    client = find_client(session, parameters.get("client_id", ""), now())
    if client is None or client.unusable:
        raise UnsafeAuthorization("unknown or unusable client")
    if client.profile.pushed and "request_uri" in parameters:
        challenge = open_pushed(session, client, parameters["request_uri"])
        if challenge is None:
            raise EndedAuthorization
        return _to_patient(broker, challenge)
    return _authorize_by_link(session, broker, client, parameters)


def _authorize_by_link(session: Session, broker: Broker, client: Client, parameters: dict[str, str]) -> Response:
    redirect_uri = parameters.get("redirect_uri")
    if redirect_uri is None or not client.check_redirect_uri(redirect_uri):
        raise UnsafeAuthorization("redirect_uri not registered")
    state = parameters.get("state", "")[:MAX_STATE] or None
    if client.profile.pushed:
        return _back(broker, redirect_uri, state, RefusedRequest("invalid_request", "Push the request (RFC 9126)"))
    challenge = new_secret()
    try:
        store_request(session, broker, client, parameters, Arrival(challenge))
    except RefusedRequest as refused:
        return _back(broker, redirect_uri, state, refused)
    return _to_patient(broker, challenge)


def _back(broker: Broker, redirect_uri: str, state: str | None, refused: RefusedRequest) -> Response:
    answer = {"error": refused.error, "error_description": refused.description, "state": state}
    return see_other(answer_url(broker.issuer, redirect_uri, answer))


def _to_patient(broker: Broker, challenge: str) -> Response:
    return see_other(f"{broker.issuer}/autorizar/{challenge}")
