"""Whose a session of work and a passkey are in the directory, and when the passkey's owner last signed in elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0044_leaving_staff"
down_revision = "0043_assisted_days"


def upgrade() -> None:
    for table in ("portal_sessions", "passkeys"):
        op.add_column(table, sa.Column("member", sa.LargeBinary))
        op.create_index(f"ix_{table}_member", table, ["member"])
    op.add_column("passkeys", sa.Column("confirmed_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE passkeys SET confirmed_at = added_at")
    op.alter_column("passkeys", "confirmed_at", nullable=False)


def downgrade() -> None:
    op.drop_column("passkeys", "confirmed_at")
    for table in ("passkeys", "portal_sessions"):
        op.drop_index(f"ix_{table}_member", table)
        op.drop_column(table, "member")
