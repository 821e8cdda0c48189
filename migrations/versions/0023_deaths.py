"""Deaths: what a record system reports of its patient, and what RENIEC says of the holder of the record's DNI."""

import sqlalchemy as sa
from alembic import op

revision = "0023_deaths"
down_revision = "0022_device_key"

COLUMNS = ("deceased_reported", "deceased_confirmed")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("source_records", sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("source_records", name)
