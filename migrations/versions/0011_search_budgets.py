"""Budgets of person searches."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0011_search_budgets"
down_revision = "0010_client_profiles"


def upgrade() -> None:
    op.create_table(
        "search_budgets",
        sa.Column("searcher", sa.String, primary_key=True),
        sa.Column("spent_until", sa.DateTime(timezone=True), nullable=False),
    )
    mutable("search_budgets")


def downgrade() -> None:
    op.drop_table("search_budgets")
