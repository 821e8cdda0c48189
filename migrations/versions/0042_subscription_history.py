"""What each subscription said in each of its versions."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only

revision = "0042_subscription_history"
down_revision = "0041_bulk"


def upgrade() -> None:
    op.create_table(
        "subscription_versions",
        sa.Column("subscription_id", sa.Uuid, sa.ForeignKey("subscriptions.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("last_error", sa.String),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute(
        "INSERT INTO subscription_versions (subscription_id, version, status, last_error, changed_at) "
        "SELECT id, version, status, last_error, changed_at FROM subscriptions"
    )
    append_only("subscription_versions")


def downgrade() -> None:
    op.drop_table("subscription_versions")
