"""Conformance reports attached to an accreditation: hash, signer, date and result."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.guards import append_only

revision = "0038_conformance_reports"
down_revision = "0037_document_tokens"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "conformance_reports",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("record_system_id", sa.Uuid, sa.ForeignKey("record_systems.id"), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("signer", sa.String, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=False),
        sa.Column("verdict", sa.String, nullable=False),
        sa.Column("summary", JSONB, nullable=False),
        sa.Column("attached_at", MOMENT, nullable=False),
        sa.UniqueConstraint("record_system_id", "sha256", name="uq_conformance_reports_record_system_id_sha256"),
    )
    append_only("conformance_reports")


def downgrade() -> None:
    op.drop_table("conformance_reports")
