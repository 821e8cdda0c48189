"""Pushed authorization requests (RFC 9126): a record system says what it asks over its own connection, authenticated.

The browser then carries a reference only. It may be opened more than once, since browsers load pages ahead and people
reload them; it is used up when the patient answers (FAPI 2.0 §5.3.2.2 note 3).
"""

import re
from base64 import urlsafe_b64encode
from datetime import timedelta
from hashlib import sha256
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidRequestError, OAuth2Error, UnauthorizedClientError
from sqlalchemy import update
from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.oauth.clients import Client, Requester
from consent_broker.oauth.models import AuthorizationRequest
from consent_broker.oauth.opaque import digest, new_secret
from consent_broker.oauth.rfc6749_authorization_request import LIFETIME, Arrival, RefusedRequest, store_request
from consent_broker.oauth.rfc9449_dpop import InvalidDpopProof
from registry.database import now

PATH = "/oauth/par"
PRESENTABLE = timedelta(seconds=90)
PREFIX = "urn:ietf:params:oauth:request_uri:"
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


def push(session: Session, broker: Broker, requester: Requester, parameters: dict[str, str]) -> dict[str, Any]:
    """Keep a request of an authenticated client and return its reference (§2.2); raises OAuth2Error (§2.3).

    Its code is bound to the key the client proved to hold, if it did (RFC 9449 §10.1).
    """
    client = requester.client
    if not client.profile.pushed:
        raise UnauthorizedClientError("An app sends its request through the browser (SMART App Launch 2.2)")
    if "request_uri" in parameters:
        raise InvalidRequestError("A request is pushed by itself, not by reference")
    if not client.check_redirect_uri(parameters.get("redirect_uri", "")):
        raise InvalidRequestError("redirect_uri must be one that is registered")
    secret = new_secret()
    arrival = Arrival(_challenge_of(secret), _bound_to(parameters.get("dpop_jkt"), requester.jkt), PRESENTABLE)
    try:
        store_request(session, broker, client, parameters, arrival)
    except RefusedRequest as refused:
        status = 429 if refused.error == "temporarily_unavailable" else 400
        raise OAuth2Error(refused.description, status_code=status, error=refused.error) from None
    return {"request_uri": f"{PREFIX}{secret}", "expires_in": int(PRESENTABLE.total_seconds())}


def _bound_to(named: str | None, proved: str | None) -> str | None:
    """The key a code is bound to: named by `dpop_jkt`, or proved here, or both and the same (RFC 9449 §10.1)."""
    if named is not None and not _THUMBPRINT.fullmatch(named):
        raise InvalidRequestError("dpop_jkt is a SHA-256 JWK thumbprint")
    if None not in {named, proved} and named != proved:
        raise InvalidDpopProof("dpop_jkt names another key than the proof")
    return named or proved


def open_pushed(session: Session, client: Client, request_uri: str) -> str | None:
    """The challenge of a reference that client pushed, while it may be presented and nobody answered it; else None.

    Opened, it waits for the patient as long as any other request.
    """
    challenge = _challenge_of(request_uri.removeprefix(PREFIX))
    moment = now()
    opened = (
        update(AuthorizationRequest)
        .where(
            AuthorizationRequest.challenge_hash == digest(challenge),
            AuthorizationRequest.client_id == client.client_id,
            AuthorizationRequest.pushed_until > moment,
            AuthorizationRequest.decided_at.is_(None),
        )
        .values(expires_at=AuthorizationRequest.created_at + LIFETIME)
        .returning(AuthorizationRequest.challenge_hash)
    )
    return None if session.scalar(opened) is None else challenge


def _challenge_of(secret: str) -> str:
    """The page's challenge, derived from the reference one way, so that opening twice leads to one page."""
    return (
        urlsafe_b64encode(sha256(b"challenge:" + secret.encode("utf-8", "surrogatepass")).digest()).decode().rstrip("=")
    )
