"""A newborn's record is found by the number of its mother in the same establishment."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only

revision = "0057_mother_numbers"
down_revision = "0056_short_tokens"


def upgrade() -> None:
    op.create_table(
        "mother_numbers",
        sa.Column("token", sa.LargeBinary, primary_key=True),
        sa.Column("source_record_id", sa.Uuid, sa.ForeignKey("source_records.id"), primary_key=True),
    )
    append_only("mother_numbers")


def downgrade() -> None:
    op.drop_table("mother_numbers")
