"""What is sensitive and asked for by name in an access request."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0033_asked_labels"
down_revision = "0032_attendances"


def upgrade() -> None:
    op.add_column("access_requests", sa.Column("labels", ARRAY(sa.Text), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("access_requests", "labels")
