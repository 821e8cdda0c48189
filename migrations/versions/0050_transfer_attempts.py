"""How often an import or an export was tried since it last got on."""

import sqlalchemy as sa
from alembic import op

revision = "0050_transfer_attempts"
down_revision = "0049_back_channel_logout"


def upgrade() -> None:
    for table in ("imports", "exports"):
        op.add_column(table, sa.Column("attempts", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    for table in ("imports", "exports"):
        op.drop_column(table, "attempts")
