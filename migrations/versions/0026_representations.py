"""Representations: who may act in another's name, on what evidence, until when; and whom a portal session acts for."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.guards import mutable

revision = "0026_representations"
down_revision = "0025_emergency"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "representations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("representative_token", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("basis", sa.String, nullable=False),
        sa.Column("powers", ARRAY(sa.String), nullable=False),
        sa.Column("evidence", JSONB, nullable=False),
        sa.Column("valid_from", MOMENT, nullable=False),
        sa.Column("valid_until", MOMENT),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("end_reason", sa.String),
        sa.CheckConstraint("valid_until IS NULL OR valid_until > valid_from", name=op.f("ck_representations_period")),
        sa.CheckConstraint(
            "basis IN ('parent', 'guardian') OR valid_until IS NOT NULL", name=op.f("ck_representations_power_ends")
        ),
    )
    for column in ("person_id", "representative_token"):
        op.create_index(f"ix_representations_{column}", "representations", [column])
    mutable("representations")
    op.add_column("portal_sessions", sa.Column("acting_by", sa.Uuid, sa.ForeignKey("representations.id")))


def downgrade() -> None:
    op.drop_column("portal_sessions", "acting_by")
    op.drop_table("representations")
