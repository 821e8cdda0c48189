"""Server-side sessions: opened after a verified sign-in, revocable, listed and ended by their human."""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeGuard
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from portal.models import PortalSession, PortalSignIn
from registry.database import new_id, now
from registry.sealing import DataKey, Sealer

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=8)
SIGN_IN_TIME = timedelta(minutes=10)
_TOUCH = timedelta(minutes=1)
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_NAME = "portal_sessions.name"
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
            ("CrOS", "Chromebook"), ("Linux", "Linux"))  # fmt: skip
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signed in, as the identity provider verified it."""

    document: str
    name: str
    acr: int
    auth_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hats:
    """What this human may act as."""

    person_id: UUID | None = None
    professional_id: UUID | None = None
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """The session of the current request."""

    session_id: UUID
    name: str
    roles: frozenset[str]
    person_id: UUID | None
    professional_id: UUID | None
    acr: int
    auth_time: datetime
    expires_at: datetime
    csrf: str

    def fresh(self, within: timedelta) -> bool:
        """Whether the human proved who they are less than `within` ago."""
        return now() - self.auth_time < within


def derive(secret: str, label: str) -> str:
    """A value bound to a browser's secret (state, nonce, PKCE verifier, form token); 43 url-safe characters."""
    return urlsafe_b64encode(hmac.digest(secret.encode(), label.encode(), hashlib.sha256)).rstrip(b"=").decode()


def new_secret() -> str:
    """256 bits for a cookie."""
    return secrets.token_urlsafe(32)


def remember_sign_in(session: Session, *, acr: int, max_age: int | None, return_to: str) -> str:
    """Start a trip to the identity provider; returns the secret the browser keeps meanwhile."""
    secret = new_secret()
    session.execute(delete(PortalSignIn).where(PortalSignIn.expires_at < now()))
    session.add(
        PortalSignIn(
            secret_hash=_hash(secret), acr=acr, max_age=max_age, return_to=return_to, expires_at=now() + SIGN_IN_TIME
        )
    )
    return secret


def take_sign_in(session: Session, secret: str | None) -> PortalSignIn | None:
    """End the trip and return it; None when unknown, late or already taken. One statement, so that it is taken once."""
    if not _well_formed(secret):
        return None
    taken = delete(PortalSignIn).where(PortalSignIn.secret_hash == _hash(secret)).returning(PortalSignIn)
    found = session.scalars(taken, execution_options={"synchronize_session": False}).one_or_none()
    return found if found and found.expires_at > now() else None


def open_session(session: Session, sealer: Sealer, identity: Identity, hats: Hats, user_agent: str) -> str:
    """Open a session and return the cookie's secret, which is stored only as a hash."""
    secret, session_id = new_secret(), new_id()
    session.add(
        PortalSession(
            id=session_id,
            secret_hash=_hash(secret),
            person_id=hats.person_id,
            professional_id=hats.professional_id,
            subject=sealer.blind("portal-subject", identity.document),
            roles=list(hats.roles),
            sealed_name=sealer.seal(session, session_id, identity.name.encode(), _NAME),
            acr=identity.acr,
            auth_time=identity.auth_time,
            device=device(user_agent),
            expires_at=now() + LONGEST,
        )
    )
    return secret


def find_session(session: Session, sealer: Sealer, secret: str | None) -> SignedIn | None:
    """The living session behind a cookie; None when there is none, it ended, idled out or expired."""
    if not _well_formed(secret):
        return None
    row = session.scalar(select(PortalSession).where(PortalSession.secret_hash == _hash(secret), *_living()))
    if row is None:
        return None
    if now() - row.last_seen_at > _TOUCH:
        row.last_seen_at = now()
    return SignedIn(
        session_id=row.id,
        name=sealer.open(session, row.id, row.sealed_name, _NAME).decode(),
        roles=frozenset(row.roles),
        person_id=row.person_id,
        professional_id=row.professional_id,
        acr=row.acr,
        auth_time=row.auth_time,
        expires_at=row.expires_at,
        csrf=derive(secret, "form"),
    )


def list_sessions(session: Session, session_id: UUID) -> Sequence[PortalSession]:
    """The living sessions of the same human, newest first."""
    mine = select(PortalSession.subject).where(PortalSession.id == session_id).scalar_subquery()
    query = select(PortalSession).where(PortalSession.subject == mine, *_living())
    return session.scalars(query.order_by(PortalSession.started_at.desc())).all()


def end_session(session: Session, session_id: UUID, *, owned_by: UUID) -> bool:
    """End a session of the human who owns `owned_by`, and destroy the key of its name; False when it is not theirs."""
    owner = select(PortalSession.subject).where(PortalSession.id == owned_by).scalar_subquery()
    ended = (
        update(PortalSession)
        .where(PortalSession.id == session_id, PortalSession.subject == owner, PortalSession.ended_at.is_(None))
        .values(ended_at=now())
        .returning(PortalSession.id)
    )
    if session.scalar(ended, execution_options={"synchronize_session": False}) is None:
        return False
    session.execute(delete(DataKey).where(DataKey.owner_id == session_id))
    return True


def device(user_agent: str) -> str:
    """A browser and system in words a person recognises; never the whole header."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "Navegador")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    return f"{browser} en {system}" if system else browser


def _living() -> tuple[ColumnElement[bool], ...]:
    moment = now()
    return (
        PortalSession.ended_at.is_(None),
        PortalSession.expires_at > moment,
        PortalSession.last_seen_at > moment - IDLE,
    )


def _well_formed(secret: str | None) -> TypeGuard[str]:
    return secret is not None and _SECRET.fullmatch(secret) is not None


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
