"""Portal: sign-ins under way and sessions."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0005_portal_sessions"
down_revision = "0004_consent_broker"


def upgrade() -> None:
    op.create_table(
        "portal_sign_ins",
        sa.Column("secret_hash", sa.LargeBinary, primary_key=True),
        sa.Column("acr", sa.Integer, nullable=False),
        sa.Column("max_age", sa.Integer),
        sa.Column("return_to", sa.String, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_portal_sign_ins_expires_at", "portal_sign_ins", ["expires_at"])
    mutable("portal_sign_ins", delete=True)
    op.create_table(
        "portal_sessions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("secret_hash", sa.LargeBinary, nullable=False),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("sealed_identity", sa.LargeBinary, nullable=False),
        sa.Column("acr", sa.Integer, nullable=False),
        sa.Column("auth_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("device", sa.String, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("secret_hash", name="uq_portal_sessions_secret_hash"),
    )
    op.create_index("ix_portal_sessions_subject", "portal_sessions", ["subject"])
    mutable("portal_sessions")


def downgrade() -> None:
    op.drop_table("portal_sessions")
    op.drop_table("portal_sign_ins")
