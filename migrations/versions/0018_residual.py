"""What a holder's token says is to be withheld, so that a token falls when that changes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0018_residual"
down_revision = "0017_sender_constrained"


def upgrade() -> None:
    op.add_column("access_tokens", sa.Column("residual", JSONB))


def downgrade() -> None:
    op.drop_column("access_tokens", "residual")
