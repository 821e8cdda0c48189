"""What a client may ask under a launch: its own open access request, and scopes that the request covers."""

from uuid import UUID

from authlib.oauth2.rfc6749.errors import InvalidRequestError, InvalidScopeError
from sqlalchemy.orm import Session

from consent_broker.consents.access_requests import current_status, get_access_request
from consent_broker.consents.models import AccessRequest
from consent_broker.consents.vocabulary import categories_of, scope_of
from consent_broker.oauth.clients import Client
from consent_broker.oauth.scopes import CONTEXT_SCOPES, GRANT_SCOPES, RECORD_SCOPES, parse_scopes
from registry.database import now
from registry.errors import NotFound


def find_launch(session: Session, client: Client, launch: str) -> AccessRequest:
    """The access request a launch names: this client's, unanswered, in time.

    Raises InvalidRequestError; all other cases look alike.
    """
    try:
        request = get_access_request(session, UUID(launch), client.establishment_id)
    except (ValueError, NotFound):
        request = None
    if request is None or request.client_id != client.client_id or current_status(request, now()) != "pending":
        raise InvalidRequestError("launch is not an open access request of this client")
    return request


def scopes_asked(client: Client, text: str | None, launch: AccessRequest | None) -> frozenset[str]:
    """What is asked for, without what asks for context; without a scope, all the access request is about.

    Raises InvalidScopeError for what the client is not registered for, or the access request doesn't cover.
    """
    scopes = frozenset(map(scope_of, launch.categories)) if text is None and launch else parse_scopes(text or "")
    records = scopes & RECORD_SCOPES
    if not records or not scopes <= GRANT_SCOPES:
        raise InvalidScopeError("Ask for patient/ scopes, and only those that go with them")
    if not scopes - CONTEXT_SCOPES <= client.scopes:
        raise InvalidScopeError("The application is not registered for a scope it asks for")
    if launch is not None and not categories_of(records) <= set(launch.categories):
        raise InvalidScopeError("The access request covers less than the scope")
    return scopes - CONTEXT_SCOPES
