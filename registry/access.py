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
class Presented:
    """What a request shows of its right to be made, and the request it is shown with."""

    authorization: str | None
    proof: str | None
    """The DPoP header: a proof of possession of the token's key (RFC 9449)."""

    method: str
    path: str


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

    staff: str | None = None
    """The handle of the Minsa staff member who works through the client; None for a record system."""

    scheme: str = "Bearer"
    """How the token was presented: `DPoP` when it is bound to a key of the caller's."""


class Authenticator(Protocol):
    """Turns what a request shows into a Caller; implemented by the consent broker."""

    def __call__(self, presented: Presented, audience: str) -> Caller:
        """Verify the token for that audience path (`/fhir`); raises Unauthenticated or Forbidden."""


def public() -> None:
    """Anyone may call; nothing personal is behind it."""


def self_authenticated() -> None:
    """The endpoint authenticates by itself (OAuth token endpoint, portal session)."""


def bearer(authenticate: Authenticator, audience: str) -> Policy:
    """Require an access token issued for `audience`, in the header only (RFC 6750 §2.1), and proved if it is bound."""

    def policy() -> None:
        if "access_token" in request.args or "access_token" in request.form:
            raise Unauthenticated("Send the access token in the Authorization header only.")
        presented = Presented(
            authorization=request.headers.get("Authorization"),
            proof=request.headers.get("DPoP"),
            method=request.method,
            path=request.path,
        )
        g.caller = authenticate(presented, audience)

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
    raise Forbidden(
        f"The access token lacks the scope {scope}.",
        code="insufficient-scope",
        audit=refusal,
        challenges=[f'{who.scheme} error="insufficient_scope", scope="{scope}"'],
    )
