"""Records that an export could not hold."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0053_export_faults"
down_revision = "0052_outbox_first"


def upgrade() -> None:
    op.add_column("exports", sa.Column("left_out", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "export_faults",
        sa.Column("export_id", sa.Uuid, sa.ForeignKey("exports.id"), primary_key=True),
        sa.Column("record_id", sa.Uuid, primary_key=True),
        sa.Column("code", sa.String, nullable=False),
    )
    mutable("export_faults", delete=True)


def downgrade() -> None:
    op.drop_table("export_faults")
    op.drop_column("exports", "left_out")
