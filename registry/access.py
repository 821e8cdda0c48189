"""Who is calling, and the policy every blueprint declares when it is registered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from flask import g, request

from registry.audit.event import Event
from registry.errors import Forbidden, Unauthenticated

Policy = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated record system, with the rights its token carries."""

    client_id: str
    establishment_id: UUID
    scopes: frozenset[str]
    token_id: str
    audience: str
    grant_id: UUID | None = None
    """The authorization a grant token came from; None for client credentials."""


class Authenticator(Protocol):
    """Turns an Authorization header into a Caller; implemented by the consent broker."""

    def __call__(self, authorization: str | None, audience: str) -> Caller:
        """Verify the token for that audience path (`/fhir`); raises Unauthenticated or Forbidden."""


def public() -> None:
    """Anyone may call; nothing personal is behind it."""


def self_authenticated() -> None:
    """The endpoint authenticates by itself (OAuth token endpoint, portal session)."""


def bearer(authenticate: Authenticator, audience: str) -> Policy:
    """Require a bearer token (RFC 6750 §2.1, header only) issued for `audience`."""

    def policy() -> None:
        if "access_token" in request.args or "access_token" in request.form:
            raise Unauthenticated("Send the access token in the Authorization header only.")
        g.caller = authenticate(request.headers.get("Authorization"), audience)

    return policy


def caller() -> Caller:
    """The caller of the current request; raises Unauthenticated where the policy set none."""
    found: Caller | None = g.get("caller")
    if found is None:
        raise Unauthenticated("This call needs an access token.")
    return found


def require_scope(who: Caller, scope: str) -> None:
    """Raise Forbidden (RFC 6750 §3.1 insufficient_scope), audited, unless the token carries the scope."""
    if scope in who.scopes:
        return
    refusal = Event(
        action="oauth:scope:required",
        outcome="refused",
        reason="insufficient-scope",
        client_id=who.client_id,
        establishment_id=who.establishment_id,
        token_id=who.token_id,
        actor_role="record-system",
        detail={"scope": scope},
    )
    raise Forbidden(f"The access token lacks the scope {scope}.", code="insufficient-scope", audit=refusal)
