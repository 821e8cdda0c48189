"""Server-side sessions: opened after a verified sign-in, revocable, listed and ended by their human."""

import hashlib
import hmac
import json
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TypeGuard
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session as DatabaseSession

from matching.records import Document, DocumentType
from portal.models import PortalSession, PortalSignIn, UsedLogoutToken
from registry.database import new_id, now
from registry.directory.documents import document_token
from registry.pide.port import Names
from registry.sealing import DataKey, Sealer
from registry.settings import Settings

SIGN_IN_TIME = timedelta(minutes=10)
_TOUCH = timedelta(minutes=1)
KEPT_AFTER_END = timedelta(minutes=10)
"""Longer than any request that found the session alive still runs."""

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_IDENTITY = "portal_sessions.identity"
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "Mac"),
            ("CrOS", "Chromebook"), ("Linux", "Linux"))  # fmt: skip
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who signed in, as the identity provider verified it; `state_names` are those the State's registry confirmed."""

    document: str
    name: str
    acr: int
    auth_time: datetime
    state_names: Names | None = None
    staff: bool = False
    """Whether the staff's provider said so: what it says makes nobody a patient, nor ID Perú's anybody staff."""
    provider_subject: str | None = None
    """Its provider's issuer and name for them (`sub`), as one."""
    provider_session: str | None = None
    """Its provider's issuer and name for the session there (`sid`), as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A living session: the human behind it, and how surely and how recently they proved who they are."""

    session_id: UUID
    subject: str
    identity: Identity
    expires_at: datetime
    csrf: str
    acting_by: UUID | None
    """The representation by which it acts in another's name."""
    seed: str
    """What codes shown in this session derive from; never leaves the server."""
    passkey_id: UUID | None = None
    """The passkey that opened it; None when an identity provider did."""


@dataclass(frozen=True, slots=True)
class Life:
    """How long a session may last, and how long it may be idle."""

    longest: timedelta
    idle: timedelta


def life_of(settings: Settings, *, staff: bool) -> Life:
    """The life of a session of work, or of a human's own."""
    if staff:
        return Life(timedelta(hours=settings.staff_session_hours), timedelta(minutes=settings.staff_idle_minutes))
    return Life(timedelta(hours=settings.session_hours), timedelta(minutes=settings.session_idle_minutes))


def derive(secret: str, label: str) -> str:
    """A value bound to a browser's secret (state, nonce, PKCE verifier, form token); 43 url-safe characters."""
    return urlsafe_b64encode(hmac.digest(secret.encode(), label.encode(), hashlib.sha256)).rstrip(b"=").decode()


def new_secret() -> str:
    """256 bits for a cookie."""
    return secrets.token_urlsafe(32)


def remember_sign_in(
    session: DatabaseSession, *, acr: int, max_age: int | None, return_to: str, staff: bool = False
) -> str:
    """Start a trip to the identity provider; returns the secret the browser keeps meanwhile."""
    secret = new_secret()
    session.execute(delete(PortalSignIn).where(PortalSignIn.expires_at < now()))
    session.add(
        PortalSignIn(
            secret_hash=hash_of(secret),
            acr=acr,
            max_age=max_age,
            return_to=return_to,
            staff=staff,
            expires_at=now() + SIGN_IN_TIME,
        )
    )
    return secret


def take_sign_in(session: DatabaseSession, secret: str | None) -> PortalSignIn | None:
    """End the trip and return it; None when unknown, late or already taken. One statement, so that it is taken once."""
    if not well_formed(secret):
        return None
    taken = delete(PortalSignIn).where(PortalSignIn.secret_hash == hash_of(secret)).returning(PortalSignIn)
    found = session.scalars(taken, execution_options={"synchronize_session": False}).one_or_none()
    return found if found and found.expires_at > now() else None


def open_session(
    session: DatabaseSession,
    sealer: Sealer,
    identity: Identity,
    user_agent: str,
    life: Life,
    passkey_id: UUID | None = None,
) -> str:
    """Open a session and return the cookie's secret, which is stored only as a hash."""
    secret, session_id = new_secret(), new_id()
    session.add(
        PortalSession(
            id=session_id,
            secret_hash=hash_of(secret),
            subject=subject_of(sealer, identity),
            provider_subject=provider_token(sealer, identity.provider_subject),
            provider_session=None if passkey_id else provider_token(sealer, identity.provider_session),
            member=member_of(sealer, identity) if identity.staff else None,
            sealed_identity=sealer.seal(session, session_id, to_bytes(identity), _IDENTITY),
            acr=identity.acr,
            auth_time=identity.auth_time,
            device=device(user_agent),
            passkey_id=passkey_id,
            idle=life.idle,
            expires_at=now() + life.longest,
        )
    )
    return secret


def subject_of(sealer: Sealer, identity: Identity) -> bytes:
    """The blind token by which a human is the same in every session, at work and at home apart."""
    return sealer.blind("portal-subject-staff" if identity.staff else "portal-subject", identity.document)


def member_of(sealer: Sealer, identity: Identity) -> bytes:
    """Whose a human's work is, as the directory knows its staff."""
    return document_token(sealer, Document(DocumentType.DNI, identity.document))


def provider_token(sealer: Sealer, name: str | None) -> bytes | None:
    """What an identity provider calls a human, or a session of theirs, as a blind token."""
    return sealer.blind("identity-provider", name) if name else None


def find_session(session: DatabaseSession, sealer: Sealer, secret: str | None) -> Session | None:
    """The living session behind a cookie; None when there is none, it ended, idled out or expired."""
    if not well_formed(secret):
        return None
    row = session.scalar(select(PortalSession).where(PortalSession.secret_hash == hash_of(secret), *_living()))
    if row is None:
        return None
    if now() - row.last_seen_at > _TOUCH:
        row.last_seen_at = now()
    sealed = sealer.open(session, row.id, row.sealed_identity, _IDENTITY)
    return Session(
        session_id=row.id,
        subject=row.subject.hex(),
        identity=from_bytes(sealed, acr=row.acr, auth_time=row.auth_time),
        expires_at=row.expires_at,
        csrf=derive(secret, f"form:{row.acting_by}" if row.acting_by else "form"),
        acting_by=row.acting_by,
        seed=derive(secret, "codes"),
        passkey_id=row.passkey_id,
    )


def lives(session: DatabaseSession, session_id: UUID) -> bool:
    """Whether a session has neither ended nor expired, read anew."""
    return session.scalar(select(PortalSession.id).where(PortalSession.id == session_id, *_living())) is not None


def hold(session: DatabaseSession, session_id: UUID) -> bool:
    """Whether a session lives still; if so nobody ends it before this transaction does."""
    query = select(PortalSession.id).where(PortalSession.id == session_id, *_living()).with_for_update()
    return session.scalar(query) is not None


def list_sessions(session: DatabaseSession, session_id: UUID) -> Sequence[PortalSession]:
    """The living sessions of the same human, newest first."""
    mine = select(PortalSession.subject).where(PortalSession.id == session_id).scalar_subquery()
    query = select(PortalSession).where(PortalSession.subject == mine, *_living())
    return session.scalars(query.order_by(PortalSession.started_at.desc())).all()


def end_session(session: DatabaseSession, session_id: UUID, *, owned_by: UUID) -> bool:
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


def end_others(session: DatabaseSession, session_id: UUID) -> int:
    """End every other session of the human who owns this one; returns how many."""
    others = [row.id for row in list_sessions(session, session_id) if row.id != session_id]
    return sum(end_session(session, other, owned_by=session_id) for other in others)


def end_opened_by(session: DatabaseSession, passkey_id: UUID) -> None:
    """End the sessions a passkey opened, and destroy the keys of their names."""
    end_where(session, PortalSession.passkey_id == passkey_id)


def end_work(session: DatabaseSession, member: bytes) -> int:
    """End all sessions of work of a member of the staff; returns how many."""
    return end_where(session, PortalSession.member == member)


def end_where(session: DatabaseSession, which: ColumnElement[bool]) -> int:
    """End the sessions that are so, and destroy the keys of their names; returns how many."""
    ended = (
        update(PortalSession)
        .where(which, PortalSession.ended_at.is_(None))
        .values(ended_at=now())
        .returning(PortalSession.id)
    )
    ids = session.scalars(ended, execution_options={"synchronize_session": False}).all()
    session.execute(delete(DataKey).where(DataKey.owner_id.in_(ids)))
    return len(ids)


def purge_logout_tokens(session: DatabaseSession) -> None:
    """Forget logout tokens that nobody could show again."""
    session.execute(delete(UsedLogoutToken).where(UsedLogoutToken.expires_at < now() - KEPT_AFTER_END))


def purge_sessions(session: DatabaseSession, limit: int = 1000) -> int:
    """Delete sessions that ended, idled out or expired, and the keys of their sealed names; returns how many."""
    then = now() - KEPT_AFTER_END
    ended = or_(
        PortalSession.ended_at < then,
        PortalSession.expires_at < then,
        PortalSession.last_seen_at + PortalSession.idle < then,
    )
    over = select(PortalSession.id).where(ended).limit(limit).with_for_update(skip_locked=True)
    gone = delete(PortalSession).where(PortalSession.id.in_(over)).returning(PortalSession.id)
    ids = session.scalars(gone, execution_options={"synchronize_session": False}).all()
    session.execute(delete(DataKey).where(DataKey.owner_id.in_(ids)))
    return len(ids)


def identity_of(session: DatabaseSession, sealer: Sealer, session_id: UUID) -> Identity:
    """Who a living session's human is, as the identity provider said; raises SealError once it ended."""
    row = session.get_one(PortalSession, session_id)
    sealed = sealer.open(session, row.id, row.sealed_identity, _IDENTITY)
    return from_bytes(sealed, acr=row.acr, auth_time=row.auth_time)


def act_by(session: DatabaseSession, session_id: UUID, representation_id: UUID | None) -> None:
    """Act in another's name from the next request on, or for oneself again."""
    session.execute(update(PortalSession).where(PortalSession.id == session_id).values(acting_by=representation_id))


def device(user_agent: str) -> str:
    """A browser and system in words a person recognises; never the whole header."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "Navegador")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    return f"{browser} en {system}" if system else browser


def to_bytes(identity: Identity) -> bytes:
    """Who it is, to be sealed; how surely and when they proved it is kept beside."""
    names = asdict(identity.state_names) if identity.state_names else None
    known = {"document": identity.document, "name": identity.name, "state_names": names, "staff": identity.staff}
    known |= {"provider_subject": identity.provider_subject, "provider_session": identity.provider_session}
    return json.dumps(known).encode()


def from_bytes(sealed: bytes, *, acr: int, auth_time: datetime) -> Identity:
    """What `to_bytes` wrote, with the level and moment of the proof."""
    body = json.loads(sealed)
    names = Names(**body["state_names"]) if body["state_names"] else None
    known = {"document": body["document"], "name": body["name"], "staff": body.get("staff", False)}
    known |= {name: body.get(name) for name in ("provider_subject", "provider_session")}
    return Identity(**known, acr=acr, auth_time=auth_time, state_names=names)


def _living() -> tuple[ColumnElement[bool], ...]:
    moment = now()
    return (
        PortalSession.ended_at.is_(None),
        PortalSession.expires_at > moment,
        PortalSession.last_seen_at + PortalSession.idle > moment,
    )


def well_formed(secret: str | None) -> TypeGuard[str]:
    """Whether a cookie's value can be one of `new_secret`."""
    return secret is not None and _SECRET.fullmatch(secret) is not None


def hash_of(secret: str) -> bytes:
    """What is stored of a browser's secret."""
    return hashlib.sha256(secret.encode()).digest()
