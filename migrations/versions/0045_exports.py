"""Exports of an establishment's own records: what was asked for, how far it is, and its files until they expire."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0045_exports"
down_revision = "0044_leaving_staff"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "exports",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id"), nullable=False),
        sa.Column("client_id", sa.String, nullable=False),
        sa.Column("token_id", sa.String),
        sa.Column("request", sa.String, nullable=False),
        sa.Column("since", MOMENT),
        sa.Column("elements", sa.String),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("error", sa.String),
        sa.Column("position", sa.LargeBinary),
        sa.Column("total", sa.BigInteger),
        sa.Column("seen", sa.BigInteger, nullable=False),
        sa.Column("written", sa.BigInteger, nullable=False),
        sa.Column("leased_until", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    op.create_index("ix_exports_establishment_id", "exports", ["establishment_id"])
    op.create_index("ix_exports_open", "exports", ["id"], postgresql_where=sa.text("status = 'processing'"))
    op.create_table(
        "export_parts",
        sa.Column("export_id", sa.Uuid, sa.ForeignKey("exports.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("lines", sa.Integer, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    mutable("exports")
    mutable("export_parts", delete=True)


def downgrade() -> None:
    op.drop_table("export_parts")
    op.drop_table("exports")
