"""Bearer tokens at our own surfaces (RFC 6750): the registry's Authenticator port."""

import re

from consent_broker.broker import Broker
from consent_broker.oauth.clients import find_client
from consent_broker.oauth.grants import find_grant
from consent_broker.oauth.rfc9068_tokens import MAX_TOKEN, InvalidToken, find_token, read_token
from registry.access import Caller
from registry.audit.event import Event
from registry.database import now, session
from registry.errors import Forbidden, Unauthenticated

_BEARER = re.compile(r"[Bb]earer +(\S+)")


class BearerAuthenticator:
    """Turns an Authorization header into a Caller: signature, issuer, audience, time, revocation, accreditation."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def __call__(self, authorization: str | None, audience: str) -> Caller:
        """The caller of a token for that surface (`/fhir`).

        Raises Unauthenticated for anything but a live token of ours for it, Forbidden when the record system has lost
        its accreditation since.
        """
        match = _BEARER.fullmatch(authorization or "") if len(authorization or "") <= MAX_TOKEN else None
        if match is None:
            raise Unauthenticated("This call needs an access token in the Authorization header.")
        try:
            claims = read_token(self._broker, match[1])
        except InvalidToken as error:
            raise Unauthenticated("The access token is not valid.", debug=str(error)) from None
        row = find_token(session(), claims) if claims.get("aud") == self._broker.audience(audience) else None
        if row is None or (row.grant_id is not None and find_grant(session(), row.grant_id) is None):
            raise Unauthenticated("The access token is not valid here, has ended or was revoked.")
        self._require_accreditation(row.client_id, str(row.id))
        return Caller(
            client_id=row.client_id,
            establishment_id=row.establishment_id,
            scopes=frozenset(row.scopes),
            token_id=str(row.id),
            audience=audience,
            grant_id=row.grant_id,
        )

    def _require_accreditation(self, client_id: str, token_id: str) -> None:
        client = find_client(session(), client_id, now())
        reason = "unknown-client" if client is None else client.unusable
        if reason is None:
            return
        refusal = Event(
            action="oauth:client:authenticated",
            outcome="refused",
            reason=reason,
            client_id=client_id,
            establishment_id=client.establishment_id if client else None,
            token_id=token_id,
            actor_role="record-system",
        )
        raise Forbidden("The record system is not accredited now.", code=reason, audit=refusal)
