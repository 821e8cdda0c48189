"""By which service of the State's platform a public body's records are asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0046_pide_service"
down_revision = "0045_exports"


def upgrade() -> None:
    op.add_column("establishments", sa.Column("pide_service", sa.String))


def downgrade() -> None:
    op.drop_column("establishments", "pide_service")
