"""Read a CSV on from a byte, not from a row: those under way begin again, and what is registered stays as it is."""

from alembic import op

revision = "0051_rows_by_bytes"
down_revision = "0050_transfer_attempts"

UNDER_WAY = "imports.format = 'csv' AND (imports.status = 'processing' OR imports.error = 'given-up')"


def upgrade() -> None:
    op.execute(f"DELETE FROM import_refusals USING imports WHERE imports.id = import_id AND {UNDER_WAY}")  # noqa: S608
    op.execute(f"UPDATE imports SET position = 0, line = 0, counts = '{{}}' WHERE {UNDER_WAY}")  # noqa: S608


def downgrade() -> None:
    upgrade()
