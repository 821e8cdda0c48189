"""Tables of signals: each one event for one establishment, kept until it has arrived; and who asked to be told what."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from registry.database import Base, new_id, now


class Signal(Base):
    """One event for one establishment; its id is the `jti` of every attempt, so that a repetition is recognised.

    `subject` is the source record id by which both sides know the patient, `content` holds ids only. One that was asked
    for by a subscription is the `number`-th event of it.
    """

    __tablename__ = "signals"
    __table_args__ = (
        Index("ix_signals_due", "available_at", postgresql_where=text("delivered_at IS NULL")),
        Index("ix_signals_subscription_id_number", "subscription_id", "number"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), index=True)
    kind: Mapped[str]
    subject: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)
    raised_at: Mapped[datetime] = mapped_column(default=now)
    available_at: Mapped[datetime] = mapped_column(default=now)
    attempts: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None] = mapped_column(index=True)
    last_error: Mapped[str | None]
    subscription_id: Mapped[UUID | None] = mapped_column(ForeignKey("subscriptions.id"))
    number: Mapped[int | None]


class Subscription(Base):
    """A record system asked to be told of a topic at an address of its choice (FHIR Subscription, rest-hook).

    `status` is FHIR's: `requested` until the address has answered once, then `active`; `error` when deliveries were
    given up, until it is asked for again; `off` when it ended. `events` counts what it was to be told.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        Index("ix_subscriptions_live", "topic", "establishment_id", postgresql_where=text("status <> 'off'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    establishment_id: Mapped[UUID] = mapped_column(ForeignKey("establishments.id"), index=True)
    client_id: Mapped[str]
    topic: Mapped[str]
    endpoint: Mapped[str]
    reason: Mapped[str]
    status: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)
    events: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    changed_at: Mapped[datetime] = mapped_column(default=now)
    ends_at: Mapped[datetime | None]


class SubscriptionVersion(Base):
    """What changes of a subscription, as of one of its versions; topic, address, reason and end never do."""

    __tablename__ = "subscription_versions"

    subscription_id: Mapped[UUID] = mapped_column(ForeignKey("subscriptions.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str]
    last_error: Mapped[str | None]
    changed_at: Mapped[datetime]
