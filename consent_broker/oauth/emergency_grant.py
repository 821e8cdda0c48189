"""The emergency grant: a record system redeems a case its professional declared, for tokens of minutes.

A grant type of its own (RFC 6749 §4.5), so that no other road can yield what it does, and it nothing they do: basic
information only, no refresh token, one person.
"""

from typing import Any, ClassVar
from uuid import UUID

from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin
from authlib.oauth2.rfc8628.errors import AuthorizationPendingError
from sqlalchemy import select
from sqlalchemy.orm import Session

from consent_broker.consents.vocabulary import BASIC, scope_of
from consent_broker.emergency.cases import get_case, is_open
from consent_broker.emergency.models import EmergencyAccess
from consent_broker.emergency.vocabulary import PURPOSE
from consent_broker.oauth.clients import AUTH_METHOD, EMERGENCY, Client
from consent_broker.oauth.grant_tokens import issue_grant_tokens
from consent_broker.oauth.grants import Reader, open_grant
from consent_broker.oauth.models import OAuthGrant
from consent_broker.oauth.scopes import parse_scopes
from registry.database import now
from registry.errors import NotFound

BASIC_SCOPES = frozenset(map(scope_of, BASIC))


class EmergencyGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]  # Authlib ships no types
    """`emergency_access` names the case; until it is declared the answer is authorization_pending."""

    GRANT_TYPE = EMERGENCY
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = [AUTH_METHOD]

    def validate_token_request(self) -> None:
        client: Client = self.authenticate_token_endpoint_client()
        self.request.client = client
        presented = self.request.form.get("emergency_access")
        if presented is None:
            raise InvalidRequestError("Missing 'emergency_access' in request.")
        self._case = _find(self.server.session, client, presented)
        self._scopes = parse_scopes(self.request.form["scope"]) if "scope" in self.request.form else BASIC_SCOPES

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        server, case = self.server, self._case
        grant = _grant_of(server.session, case)
        body = issue_grant_tokens(
            server.session, server.broker, server.requester, grant, self._scopes, refreshable=False
        )
        return 200, body, self.TOKEN_RESPONSE_HEADER


def _grant_of(session: Session, case: EmergencyAccess) -> OAuthGrant:
    """The one grant of a case: each of its tokens belongs to the same family."""
    known = select(OAuthGrant).where(OAuthGrant.consent_id == case.consent_id, OAuthGrant.client_id == case.client_id)
    found = session.scalar(known)
    if found is not None:
        return found
    reader = Reader(
        establishment_id=case.establishment_id,
        professional_id=case.professional_id,
        purpose=PURPOSE,
        client_id=case.client_id,
        consent_id=case.consent_id,
    )
    return open_grant(session, reader, case.person_id, BASIC_SCOPES, case.ends_at or case.declare_until)


def _find(session: Session, client: Client, presented: str) -> EmergencyAccess:
    """The client's own open case; raises AuthorizationPendingError, or InvalidGrantError for everything else."""
    try:
        case = get_case(session, UUID(presented), establishment_id=client.establishment_id)
    except (ValueError, NotFound):
        case = None
    moment = now()
    if case is None or case.client_id != client.client_id or "emergency" not in client.scopes:
        raise InvalidGrantError("The emergency access is not one of this client")
    if case.declared_at is None and moment < case.declare_until:
        raise AuthorizationPendingError
    if not is_open(case, moment):
        raise InvalidGrantError("The emergency access is over")
    return case
