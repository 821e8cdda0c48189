"""Consents with help: what one professional put on record and another confirmed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from migrations.guards import mutable

revision = "0029_assisted_consents"
down_revision = "0028_staff_tokens"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "assisted_consents",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("access_request_id", sa.Uuid, sa.ForeignKey("access_requests.id"), nullable=False),
        sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id"), nullable=False),
        sa.Column("recorded_by", sa.Uuid, sa.ForeignKey("professionals.id"), nullable=False),
        sa.Column("evidence", sa.String, nullable=False),
        sa.Column("form_sha256", sa.String),
        sa.Column("document_type", sa.String, nullable=False),
        sa.Column("document_token", sa.LargeBinary),
        sa.Column("categories", ARRAY(sa.Text), nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("decided_by", sa.Uuid, sa.ForeignKey("professionals.id")),
        sa.Column("decided_at", MOMENT),
        sa.CheckConstraint("status IN ('open', 'confirmed', 'declined')", name=op.f("ck_assisted_consents_status")),
        sa.CheckConstraint(
            "(status = 'open') = (decided_by IS NULL)", name=op.f("ck_assisted_consents_decided_by_somebody")
        ),
    )
    for column in ("access_request_id", "establishment_id", "recorded_by"):
        op.create_index(f"ix_assisted_consents_{column}", "assisted_consents", [column])
    mutable("assisted_consents")


def downgrade() -> None:
    op.drop_table("assisted_consents")
