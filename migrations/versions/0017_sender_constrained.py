"""Pushed authorization requests, and tokens bound to a key: what each credential is bound to, and proofs once used."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0017_sender_constrained"
down_revision = "0016_directives"

BOUND = ("authorization_requests", "authorization_codes", "refresh_tokens")


def upgrade() -> None:
    for table in BOUND:
        op.add_column(table, sa.Column("jkt", sa.String))
    op.add_column("authorization_requests", sa.Column("pushed_until", sa.DateTime(timezone=True)))
    op.create_table(
        "used_proofs",
        sa.Column("proof_hash", sa.LargeBinary, primary_key=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_used_proofs_expires_at", "used_proofs", ["expires_at"])
    mutable("used_proofs", delete=True)


def downgrade() -> None:
    op.drop_table("used_proofs")
    op.drop_column("authorization_requests", "pushed_until")
    for table in BOUND:
        op.drop_column(table, "jkt")
