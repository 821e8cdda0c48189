"""Facts of persons for statistics, stripped of identity."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0006_statistics"
down_revision = "0005_portal_sessions"


def upgrade() -> None:
    op.create_table(
        "person_facts",
        sa.Column("person_key", sa.LargeBinary, primary_key=True),
        sa.Column("sex", sa.String(1)),
        sa.Column("birth_year", sa.SmallInteger),
        sa.Column("department", sa.String(2)),
        sa.Column("establishments", sa.SmallInteger, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    mutable("person_facts", delete=True)


def downgrade() -> None:
    op.drop_table("person_facts")
