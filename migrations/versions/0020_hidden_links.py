"""Hidden links: establishments nobody is told hold records of a person; a projection of the person's directives."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0020_hidden_links"
down_revision = "0019_reresolution"


def upgrade() -> None:
    op.create_table(
        "hidden_links",
        sa.Column("person_id", sa.Uuid, primary_key=True),
        sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id"), primary_key=True),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    mutable("hidden_links", delete=True)


def downgrade() -> None:
    op.drop_table("hidden_links")
