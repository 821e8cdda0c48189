"""Tables of the portal: sign-ins under way and sessions; only hashes of what the browser holds."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
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
    sealed_identity: Mapped[bytes]
    acr: Mapped[int]
    auth_time: Mapped[datetime]
    device: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    acting_by: Mapped[UUID | None] = mapped_column(ForeignKey("representations.id"))
    """The representation by which this browser acts in another's name; what it permits is derived at each request."""
