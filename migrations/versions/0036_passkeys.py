"""Passkeys of staff, the challenges put to them, and which passkey opened a session."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0036_passkeys"
down_revision = "0035_documents"


def upgrade() -> None:
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("credential_id", sa.LargeBinary, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("acr", sa.Integer, nullable=False),
        sa.Column("copied", sa.Boolean, nullable=False),
        sa.Column("sealed_identity", sa.LargeBinary, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("blocked_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
    )
    op.create_index("ix_passkeys_subject", "passkeys", ["subject"])
    op.create_table(
        "passkey_challenges",
        sa.Column("challenge_hash", sa.LargeBinary, primary_key=True),
        sa.Column("holder_hash", sa.LargeBinary, nullable=False),
        sa.Column("adding", sa.Boolean, nullable=False),
        sa.Column("subject", sa.LargeBinary),
        sa.Column("acr", sa.Integer, nullable=False),
        sa.Column("return_to", sa.String, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_passkey_challenges_expires_at", "passkey_challenges", ["expires_at"])
    mutable("passkeys", "passkey_challenges", delete=True)
    op.add_column("portal_sessions", sa.Column("passkey_id", sa.Uuid))
    op.create_index("ix_portal_sessions_passkey_id", "portal_sessions", ["passkey_id"])


def downgrade() -> None:
    op.drop_index("ix_portal_sessions_passkey_id", "portal_sessions")
    op.drop_column("portal_sessions", "passkey_id")
    op.drop_table("passkey_challenges")
    op.drop_table("passkeys")
