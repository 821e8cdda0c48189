"""Attendances, and what people permit beforehand to whoever attends them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.guards import append_only, mutable

revision = "0032_attendances"
down_revision = "0031_exchanged_grants"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "attendance_policies",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("categories", ARRAY(sa.Text), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("evidence", JSONB, nullable=False),
    )
    op.create_index("ix_attendance_policies_person_id_recorded_at", "attendance_policies", ["person_id", "recorded_at"])
    append_only("attendance_policies")
    op.create_table(
        "attendances",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("client_id", sa.String, nullable=False),
        sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id"), nullable=False),
        sa.Column("professional_id", sa.Uuid, sa.ForeignKey("professionals.id"), nullable=False),
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("encounter_token", sa.LargeBinary, nullable=False),
        sa.Column("identified_by", sa.String, nullable=False),
        sa.Column("consent_id", sa.Uuid, sa.ForeignKey("consents.id"), nullable=False),
        sa.Column("stated_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.CheckConstraint("ends_at > stated_at", name=op.f("ck_attendances_period")),
    )
    for whose in ("person_id", "professional_id"):
        op.create_index(f"ix_attendances_{whose}_stated_at", "attendances", [whose, "stated_at"])
    mutable("attendances")


def downgrade() -> None:
    op.drop_table("attendances")
    op.drop_table("attendance_policies")
