"""Token introspection (RFC 7662): only the resource server a token is for learns that it is alive.

The answer is derived from the consents of this moment, so a revocation shows in the same commit. Unknown tokens,
garbage and other people's tokens all get `{"active": false}` with 200 (§2.2).
"""

from typing import Any

from sqlalchemy.orm import Session

from consent_broker.broker import Broker
from consent_broker.oauth.clients import Client
from consent_broker.oauth.issued import find_claimed
from consent_broker.oauth.rfc9068_tokens import InvalidToken, read_token, token_type
from consent_broker.oauth.standing import stands

INACTIVE: dict[str, Any] = {"active": False}
_SHOWN = ("scope", "client_id", "exp", "iat", "sub", "aud", "iss", "jti", "patient", "act", "cnf", "extensions",
          "authorization_details")  # fmt: skip


def introspect(session: Session, broker: Broker, resource_server: Client, token: str) -> dict[str, Any]:
    """What that resource server may know about a token."""
    try:
        claims = read_token(broker, token)
    except InvalidToken:
        return INACTIVE
    if resource_server.fhir_endpoint is None or claims.get("aud") != resource_server.fhir_endpoint:
        return INACTIVE
    issued = find_claimed(session, claims)
    if issued is None or not stands(session, issued):
        return INACTIVE
    return {"active": True, "token_type": token_type(claims)} | {
        name: claims[name] for name in _SHOWN if name in claims
    }
