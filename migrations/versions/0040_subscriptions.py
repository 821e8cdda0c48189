"""Subscriptions: record systems ask to be told of links, merges, splits, consents and revocations."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0040_subscriptions"
down_revision = "0039_hl7v2"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id"), nullable=False),
        sa.Column("client_id", sa.String, nullable=False),
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("last_error", sa.String),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT),
    )
    op.create_index("ix_subscriptions_establishment_id", "subscriptions", ["establishment_id"])
    op.create_index(
        "ix_subscriptions_live",
        "subscriptions",
        ["topic", "establishment_id"],
        postgresql_where=sa.text("status <> 'off'"),
    )
    op.add_column("signals", sa.Column("subscription_id", sa.Uuid, sa.ForeignKey("subscriptions.id")))
    op.add_column("signals", sa.Column("number", sa.Integer))
    op.create_index("ix_signals_subscription_id_number", "signals", ["subscription_id", "number"])
    mutable("subscriptions")


def downgrade() -> None:
    op.drop_column("signals", "number")
    op.drop_column("signals", "subscription_id")
    op.drop_table("subscriptions")
