"""What an identity provider says when it has signed somebody out (OpenID Connect Back-Channel Logout 1.0)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from sqlalchemy import and_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.errors import SignInFailed
from portal.models import Passkey, PortalSession, UsedLogoutToken
from portal.oidc import CLOCK_SKEW, IdPeru, is_number, named_by
from portal.session import end_where, provider_token
from registry.audit.event import Detail, Event
from registry.audit.service import record
from registry.database import now
from registry.sealing import Sealer

EVENT = "http://schemas.openid.net/event/backchannel-logout"
MAX_TOKEN = 8_192
LONGEST_SECONDS = 600
"""How long a logout token may be valid: so long its `jti` is remembered."""


class LogoutRefused(Exception):
    """Not a logout token of that provider for us that has not been taken yet; the message is for the log alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut:
    """Whom the provider signed out (None: whoever had that session), or of which session (None: of all)."""

    subject: str | None
    session: str | None
    token_hash: bytes
    expires_at: datetime


def read_logout_token(provider: IdPeru, token: str) -> SignedOut:
    """Verify a logout token (§2.6), but for its being new; raises LogoutRefused, SignInUnavailable."""
    _check_head(token)
    try:
        claims = provider.verified(token)
    except SignInFailed as error:
        raise LogoutRefused(error.debug or "not verified") from None
    issuer = provider.registration.issuer
    wrong = [name for name, bad in _faults(claims, issuer, provider.registration.client_id).items() if bad]
    if wrong:
        raise LogoutRefused(f"claims: {wrong}")
    return SignedOut(
        subject=named_by(issuer, claims.get("sub")),
        session=named_by(issuer, claims.get("sid")),
        token_hash=sha256(f"{issuer} {claims['jti']}".encode()).digest(),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def sign_out(session: Session, sealer: Sealer, said: SignedOut) -> None:
    """End the sessions, and suspend the passkeys, of whom a provider signed out; raises LogoutRefused the second time.

    A passkey proves nothing until its owner signs in at the provider again, and what it had opened ends as well. One
    that was being added is there once the session it was added in has ended: hence the second look.
    """
    _use_up(session, said)
    subject, sid = (provider_token(sealer, name) for name in (said.subject, said.session))
    named = ((PortalSession.provider_subject, subject), (PortalSession.provider_session, sid))
    which = and_(*(column == name for column, name in named if name))
    owners = {subject} if subject else set(session.scalars(select(PortalSession.provider_subject).where(which)))
    theirs = Passkey.provider_subject.in_(owners)
    suspend = update(Passkey).where(theirs, Passkey.suspended_at.is_(None)).values(suspended_at=now())
    passkeys = len(session.scalars(suspend.returning(Passkey.id)).all())
    sessions = end_where(session, which | PortalSession.passkey_id.in_(select(Passkey.id).where(theirs)))
    passkeys += len(session.scalars(suspend.returning(Passkey.id)).all())
    detail: dict[str, Detail] = {"sessions": sessions, "passkeys": passkeys, "one_session": sid is not None}
    record(session, Event(action="portal:session:ended-by-provider", detail=detail))


def _use_up(session: Session, said: SignedOut) -> None:
    """In one statement: of the same token shown twice at once, one counts."""
    taken = insert(UsedLogoutToken).values(token_hash=said.token_hash, expires_at=said.expires_at)
    if session.scalar(taken.on_conflict_do_nothing().returning(UsedLogoutToken.token_hash)) is None:
        raise LogoutRefused("taken before")


def _check_head(token: str) -> None:
    """The type keeps an ID token, or any other, from passing for one (§2.4)."""
    try:
        header = jws.extract_compact(token.encode()).headers() if len(token) <= MAX_TOKEN else {}
    except (JoseError, ValueError):
        header = {}
    if str(header.get("typ", "")).lower().removeprefix("application/") != "logout+jwt":
        raise LogoutRefused("not typed as a logout token")


def _faults(claims: Mapping[str, Any], issuer: str, client_id: str) -> dict[str, bool]:
    """What is wrong with the claims, by name (§2.4, §2.6)."""
    moment, audience, events = time.time(), claims.get("aud"), claims.get("events")
    exp, iat = claims.get("exp"), claims.get("iat")
    return {
        "iss": claims.get("iss") != issuer,
        "aud": client_id not in (audience if isinstance(audience, list) else [audience]),
        "exp": not is_number(exp) or not moment - CLOCK_SKEW < exp <= moment + LONGEST_SECONDS + CLOCK_SKEW,
        "iat": not is_number(iat) or not moment - LONGEST_SECONDS - CLOCK_SKEW < iat <= moment + CLOCK_SKEW,
        "jti": not isinstance(claims.get("jti"), str) or not 0 < len(claims["jti"]) <= 255,
        "events": not isinstance(events, dict) or not isinstance(events.get(EVENT), dict),
        "nonce": "nonce" in claims,
        "sub": not any(isinstance(claims.get(name), str) and claims[name] for name in ("sub", "sid")),
        "names": any(not isinstance(claims.get(name, ""), str) for name in ("sub", "sid")),
    }
