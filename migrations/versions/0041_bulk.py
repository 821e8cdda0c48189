"""Files of records: what was uploaded, how far it is, what of it was refused; and when a record was said."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.guards import mutable

revision = "0041_bulk"
down_revision = "0040_subscriptions"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("source_records", sa.Column("said_at", MOMENT))
    op.create_table(
        "imports",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id"), nullable=False),
        sa.Column("client_id", sa.String, nullable=False),
        sa.Column("token_id", sa.String),
        sa.Column("format", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("error", sa.String),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("line", sa.BigInteger, nullable=False),
        sa.Column("counts", JSONB, nullable=False),
        sa.Column("leased_until", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    op.create_index("ix_imports_establishment_id", "imports", ["establishment_id"])
    op.create_index("ix_imports_open", "imports", ["id"], postgresql_where=sa.text("status = 'processing'"))
    op.create_table(
        "import_parts",
        sa.Column("import_id", sa.Uuid, sa.ForeignKey("imports.id"), primary_key=True),
        sa.Column("offset", sa.BigInteger, primary_key=True),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "import_refusals",
        sa.Column("import_id", sa.Uuid, sa.ForeignKey("imports.id"), primary_key=True),
        sa.Column("line", sa.BigInteger, primary_key=True),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("expression", sa.String),
    )
    mutable("imports")
    mutable("import_parts", "import_refusals", delete=True)


def downgrade() -> None:
    op.drop_table("import_refusals")
    op.drop_table("import_parts")
    op.drop_table("imports")
    op.drop_column("source_records", "said_at")
