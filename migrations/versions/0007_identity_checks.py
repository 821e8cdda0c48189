"""When a source record is next checked against the identity registry; null once that is settled."""

import sqlalchemy as sa
from alembic import op

revision = "0007_identity_checks"
down_revision = "0006_statistics"


def upgrade() -> None:
    op.add_column("source_records", sa.Column("next_check_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_source_records_due_check",
        "source_records",
        ["next_check_at"],
        postgresql_where=sa.text("next_check_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_source_records_due_check", "source_records")
    op.drop_column("source_records", "next_check_at")
