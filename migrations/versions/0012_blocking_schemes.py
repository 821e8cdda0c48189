"""Which rules the blocking tokens were made by; what an earlier version indexed is made anew by `identity rekey`."""

import sqlalchemy as sa
from alembic import op

from matching.key_scheme import key_scheme
from migrations.guards import mutable
from registry.database import new_id, now

revision = "0012_blocking_schemes"
down_revision = "0011_search_budgets"

MOMENT = sa.DateTime(timezone=True)
UNKNOWN = 0
"""The scheme of what was indexed before schemes were recorded."""


def upgrade() -> None:
    schemes = op.create_table(
        "blocking_schemes",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("scheme", sa.Integer, nullable=False),
        sa.Column("begun_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
    )
    op.execute(
        "CREATE UNIQUE INDEX ix_blocking_schemes_in_force ON blocking_schemes ((ended_at IS NULL)) "
        "WHERE ended_at IS NULL"
    )
    mutable("blocking_schemes")
    for table in ("source_records", "blocking_tokens"):
        op.add_column(table, sa.Column("scheme", sa.Integer, nullable=False, server_default=str(UNKNOWN)))
        op.alter_column(table, "scheme", server_default=None)
    op.create_index("ix_source_records_scheme", "source_records", ["scheme"])
    is_empty = op.get_bind().scalar(sa.text("SELECT NOT EXISTS (SELECT FROM source_records)"))
    first = {"id": new_id(), "scheme": key_scheme() if is_empty else UNKNOWN, "begun_at": now()}
    op.bulk_insert(schemes, [first])


def downgrade() -> None:
    op.drop_index("ix_source_records_scheme", "source_records")
    for table in ("blocking_tokens", "source_records"):
        op.drop_column(table, "scheme")
    op.drop_table("blocking_schemes")
