"""Which record of an establishment stands for another one of it."""

import sqlalchemy as sa
from alembic import op

revision = "0030_duplicates"
down_revision = "0029_assisted_consents"


def upgrade() -> None:
    key = sa.ForeignKey("source_records.id", name="fk_source_records_replaced_by")
    op.add_column("source_records", sa.Column("replaced_by", sa.Uuid, key))
    op.create_index("ix_source_records_replaced_by", "source_records", ["replaced_by"])
    op.add_column("source_record_versions", sa.Column("replaced_by", sa.Uuid))


def downgrade() -> None:
    op.drop_column("source_record_versions", "replaced_by")
    op.drop_index("ix_source_records_replaced_by", "source_records")
    op.drop_column("source_records", "replaced_by")
