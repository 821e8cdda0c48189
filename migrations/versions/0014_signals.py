"""Signals: revocations pushed to holders (RFC 8417, RFC 8935) and published in status lists."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.guards import mutable

revision = "0014_signals"
down_revision = "0013_stewardship"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("establishments", sa.Column("event_endpoint", sa.String))
    op.add_column("access_tokens", sa.Column("status_index", sa.BigInteger, sa.Identity(always=True), nullable=False))
    for column, condition in (("status_index", "revoked_at IS NOT NULL"), ("person_id", "kind = 'holder'")):
        name = f"ix_access_tokens_{column}"
        op.create_index(name, "access_tokens", [column], postgresql_where=sa.text(condition))
    op.create_table(
        "signals",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id"), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("content", JSONB, nullable=False),
        sa.Column("raised_at", MOMENT, nullable=False),
        sa.Column("available_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("delivered_at", MOMENT),
        sa.Column("last_error", sa.String),
    )
    op.create_index("ix_signals_establishment_id", "signals", ["establishment_id"])
    op.create_index("ix_signals_delivered_at", "signals", ["delivered_at"])
    op.create_index("ix_signals_due", "signals", ["available_at"], postgresql_where=sa.text("delivered_at IS NULL"))
    mutable("signals", delete=True)


def downgrade() -> None:
    op.drop_table("signals")
    op.drop_index("ix_access_tokens_person_id", "access_tokens")
    op.drop_index("ix_access_tokens_status_index", "access_tokens")
    op.drop_column("access_tokens", "status_index")
    op.drop_column("establishments", "event_endpoint")
