"""The audit's chain: which events each segment holds, and its keyed hash."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only

revision = "0055_audit_segments"
down_revision = "0054_session_life"


def upgrade() -> None:
    op.create_table(
        "audit_segments",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("events", sa.ARRAY(sa.Uuid), nullable=False),
        sa.Column("marks", sa.LargeBinary, nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reached_id", sa.Uuid, nullable=False),
        sa.Column("chained_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_audit_segments_reached_at", "audit_segments", ["reached_at"])
    append_only("audit_segments")


def downgrade() -> None:
    op.drop_table("audit_segments")
