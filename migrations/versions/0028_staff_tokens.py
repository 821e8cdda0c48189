"""Whom of Minsa's staff an access token is for."""

import sqlalchemy as sa
from alembic import op

revision = "0028_staff_tokens"
down_revision = "0027_authorization_details"


def upgrade() -> None:
    op.add_column("access_tokens", sa.Column("staff", sa.String))


def downgrade() -> None:
    op.drop_column("access_tokens", "staff")
