"""Tables of the portal: sign-ins under way, sessions, passkeys; only hashes of what the browser holds."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Interval
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, new_id, now


class PortalSignIn(Base):
    """One trip to the identity provider; deleted when it comes back, so an answer is taken once."""

    __tablename__ = "portal_sign_ins"

    secret_hash: Mapped[bytes] = mapped_column(primary_key=True)
    acr: Mapped[int]
    max_age: Mapped[int | None]
    return_to: Mapped[str]
    staff: Mapped[bool] = mapped_column(default=False)
    """Whether it goes to the staff's provider."""
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PortalSession(Base):
    """One signed-in browser of one human: who it is, never what they may do, which is derived at each request."""

    __tablename__ = "portal_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    subject: Mapped[bytes] = mapped_column(index=True)
    """Blind token of the document: the same human in every session, also without a person in the index."""
    provider_subject: Mapped[bytes | None] = mapped_column(index=True)
    """Who signed in as their identity provider names them, blind: what it says later of them ends the session."""
    provider_session: Mapped[bytes | None] = mapped_column(index=True)
    """The provider's own session (`sid`), blind; None where it named none, or a passkey opened this one."""
    sealed_identity: Mapped[bytes]
    acr: Mapped[int]
    auth_time: Mapped[datetime]
    device: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    idle: Mapped[timedelta] = mapped_column(Interval)
    """How long after that it ends."""
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    passkey_id: Mapped[UUID | None] = mapped_column(index=True)
    """The passkey that opened it; it ends when that passkey is removed."""
    member: Mapped[bytes | None] = mapped_column(index=True)
    """Of a session of work: whose it is, as the directory knows its staff."""
    acting_by: Mapped[UUID | None] = mapped_column(ForeignKey("representations.id"))
    """The representation by which this browser acts in another's name; what it permits is derived at each request."""


class Passkey(Base):
    """A passkey of somebody who works with the registry (WebAuthn Level 2): the public half, and what it may open."""

    __tablename__ = "passkeys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    subject: Mapped[bytes] = mapped_column(index=True)
    """Whose it is, as in their sessions; also the user handle the authenticator keeps."""
    member: Mapped[bytes | None] = mapped_column(index=True)
    """Whose it is as the directory knows its staff; None of one added before that was kept, until its next use."""
    provider_subject: Mapped[bytes | None] = mapped_column(index=True)
    """Its owner as their identity provider names them, blind; None of one not confirmed since that was kept."""
    suspended_at: Mapped[datetime | None]
    """When the provider signed its owner out: it proves nothing until they sign in there again."""
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    acr: Mapped[int]
    """The level it proves: that of the sign-in it was added in, and at most 2 where the key can be copied."""
    copied: Mapped[bool]
    """Whether its provider may keep it on several devices (backup eligible)."""
    sealed_identity: Mapped[bytes]
    name: Mapped[str]
    added_at: Mapped[datetime] = mapped_column(default=now)
    confirmed_at: Mapped[datetime] = mapped_column(default=now)
    """When its owner last signed in at the identity provider."""
    last_used_at: Mapped[datetime | None]
    blocked_at: Mapped[datetime | None]
    """When its counter ran backwards: somebody may hold a copy."""


class PasskeyChallenge(Base):
    """A challenge put to an authenticator; deleted by the statement that accepts its answer, so it counts once."""

    __tablename__ = "passkey_challenges"

    challenge_hash: Mapped[bytes] = mapped_column(primary_key=True)
    holder_hash: Mapped[bytes]
    """The browser it was put to: of its session when a key is added, of its cookie when one signs in."""
    adding: Mapped[bool]
    subject: Mapped[bytes | None]
    """Whose key must answer, where somebody is signed in already."""
    acr: Mapped[int]
    return_to: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UsedLogoutToken(Base):
    """A logout token of an identity provider that was taken: it can't be shown again while it would be valid."""

    __tablename__ = "portal_logout_tokens"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
