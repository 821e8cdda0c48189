"""Keep with each session how long it may be idle: patients and staff have limits of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0054_session_life"
down_revision = "0053_export_faults"


def upgrade() -> None:
    usual = sa.text("INTERVAL '30 minutes'")
    op.add_column("portal_sessions", sa.Column("idle", sa.Interval, nullable=False, server_default=usual))
    op.alter_column("portal_sessions", "idle", server_default=None)


def downgrade() -> None:
    op.drop_column("portal_sessions", "idle")
