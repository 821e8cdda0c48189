"""Tables of the authorization server; of every secret only its SHA-256."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from registry.database import Base, new_id, now


class AuthorizationRequest(Base):
    """A validated authorization request waiting for the patient; the page is built from it, never from the browser."""

    __tablename__ = "authorization_requests"

    challenge_hash: Mapped[bytes] = mapped_column(primary_key=True)
    client_id: Mapped[str]
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"))
    redirect_uri: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[str | None]
    code_challenge: Mapped[str]
    jkt: Mapped[str | None]
    """The thumbprint of the key its code may be redeemed with (RFC 9449 §10); None for any."""

    authorization_details: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What was asked exactly (RFC 9396), as `rfc9396_rar.Details` writes it."""

    access_request_id: Mapped[UUID | None] = mapped_column(ForeignKey("access_requests.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    pushed_until: Mapped[datetime | None]
    """Until when a pushed one may be opened by its reference (RFC 9126); None for one that came by link."""

    expires_at: Mapped[datetime] = mapped_column(index=True)
    decided_at: Mapped[datetime | None]


class OAuthGrant(Base):
    """What a patient granted through a client: the family of its code, refresh tokens and access tokens."""

    __tablename__ = "oauth_grants"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[str] = mapped_column(index=True)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"))
    professional_id: Mapped[UUID | None] = mapped_column(ForeignKey("professionals.id"))
    person_id: Mapped[UUID] = mapped_column(index=True)
    purpose: Mapped[str]
    consent_id: Mapped[UUID] = mapped_column(ForeignKey("consents.id"), index=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    authorization_details: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What was granted exactly (RFC 9396), when it was asked so."""

    exchanged: Mapped[bool] = mapped_column(default=False)
    """Whether it came of a token exchange: its tokens can't be exchanged again."""

    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_because: Mapped[str | None]


class AuthorizationCode(Base):
    """A code, redeemed once by one statement; kept after use so that a replay is recognised."""

    __tablename__ = "authorization_codes"

    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    grant_id: Mapped[UUID] = mapped_column(ForeignKey("oauth_grants.id"), index=True)
    client_id: Mapped[str]
    redirect_uri: Mapped[str]
    code_challenge: Mapped[str]
    jkt: Mapped[str | None]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class RefreshToken(Base):
    """A refresh token of a grant: an app's counts once and yields the next, a record system's is bound to its key."""

    __tablename__ = "refresh_tokens"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    grant_id: Mapped[UUID] = mapped_column(ForeignKey("oauth_grants.id"), index=True)
    client_id: Mapped[str]
    jkt: Mapped[str | None]
    issued_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class AccessToken(Base):
    """An issued access token by its `jti`: what introspection and revocation look up. The token itself is not kept."""

    __tablename__ = "access_tokens"
    __table_args__ = (
        Index("ix_access_tokens_status_index", "status_index", postgresql_where=text("revoked_at IS NOT NULL")),
        Index("ix_access_tokens_person_id", "person_id", postgresql_where=text("kind = 'holder'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    client_id: Mapped[str] = mapped_column(index=True)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"))
    audience: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
    grant_id: Mapped[UUID | None] = mapped_column(ForeignKey("oauth_grants.id"), index=True)
    person_id: Mapped[UUID | None]
    professional_id: Mapped[UUID | None]
    purpose: Mapped[str | None]
    patient: Mapped[str | None]
    """The source record id a holder knows the patient by (holder tokens)."""
    staff: Mapped[str | None]
    """The handle of the Minsa staff member who works with it (staff tokens)."""
    residual: Mapped[list[Any] | None] = mapped_column(JSONB)
    """What a holder's token says is to be withheld; when that changes the token no longer stands."""
    categories: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """What a token for a document rests on; None for one whose scopes say it."""

    status_index: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """Its place in the status lists."""


class UsedProof(Base):
    """A DPoP proof that was used: it can't be used again while it would be valid."""

    __tablename__ = "used_proofs"

    proof_hash: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ClientAssertion(Base):
    """A client assertion that was used: its `jti` can't be used again while it would be valid."""

    __tablename__ = "client_assertions"

    client_id: Mapped[str] = mapped_column(primary_key=True)
    jti_hash: Mapped[bytes] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class DeviceAuthorization(Base):
    """A record system waits for the answer to an access request, wherever the patient gives it; redeemed once."""

    __tablename__ = "device_authorizations"

    device_code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    client_id: Mapped[str]
    access_request_id: Mapped[UUID] = mapped_column(ForeignKey("access_requests.id"), index=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    interval_seconds: Mapped[int]
    jkt: Mapped[str | None]
    polled_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    grant_id: Mapped[UUID | None] = mapped_column(ForeignKey("oauth_grants.id"))
