"""Whom a role of staff is for: an establishment's administrator holds it for that establishment."""

import sqlalchemy as sa
from alembic import op

revision = "0048_establishment_staff"
down_revision = "0047_free_tokens"

CURRENT = {"unique": True, "postgresql_where": sa.text("ended_at IS NULL")}


def upgrade() -> None:
    op.add_column("staff_roles", sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id")))
    op.drop_index("ix_staff_roles_current", "staff_roles")
    columns = ["document_token", "role", "establishment_id"]
    op.create_index("ix_staff_roles_current", "staff_roles", columns, postgresql_nulls_not_distinct=True, **CURRENT)


def downgrade() -> None:
    op.drop_index("ix_staff_roles_current", "staff_roles")
    op.execute("DELETE FROM staff_roles WHERE establishment_id IS NOT NULL")
    op.drop_column("staff_roles", "establishment_id")
    op.create_index("ix_staff_roles_current", "staff_roles", ["document_token", "role"], **CURRENT)
