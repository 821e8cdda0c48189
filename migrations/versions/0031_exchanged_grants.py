"""Which grants came of a token exchange: their tokens can't be exchanged again."""

import sqlalchemy as sa
from alembic import op

revision = "0031_exchanged_grants"
down_revision = "0030_duplicates"


def upgrade() -> None:
    op.add_column("oauth_grants", sa.Column("exchanged", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("oauth_grants", "exchanged")
