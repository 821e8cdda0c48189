"""Who signed in as the identity provider names them, so that its logout ends what it opened."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0049_back_channel_logout"
down_revision = "0048_establishment_staff"

NAMES = (
    ("portal_sessions", "provider_subject"),
    ("portal_sessions", "provider_session"),
    ("passkeys", "provider_subject"),
)


def upgrade() -> None:
    for table, column in NAMES:
        op.add_column(table, sa.Column(column, sa.LargeBinary))
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])
    op.add_column("passkeys", sa.Column("suspended_at", sa.DateTime(timezone=True)))
    op.create_table(
        "portal_logout_tokens",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(op.f("ix_portal_logout_tokens_expires_at"), "portal_logout_tokens", ["expires_at"])
    mutable("portal_logout_tokens", delete=True)


def downgrade() -> None:
    op.drop_table("portal_logout_tokens")
    op.drop_column("passkeys", "suspended_at")
    for table, column in NAMES:
        op.drop_column(table, column)
