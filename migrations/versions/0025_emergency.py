"""Emergency access: cases, their reviews, and who may not declare emergencies."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only, mutable

revision = "0025_emergency"
down_revision = "0024_published_keys"

MOMENT = sa.DateTime(timezone=True)
TABLES = ("emergency_suspensions", "emergency_reviews", "emergency_accesses")


def upgrade() -> None:
    _cases()
    _judgements()
    append_only("emergency_reviews")
    mutable("emergency_accesses", "emergency_suspensions")


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _reference(name: str, target: str, *, nullable: bool = False, unique: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid, sa.ForeignKey(f"{target}.id"), nullable=nullable, unique=unique)


def _cases() -> None:
    op.create_table(
        "emergency_accesses",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("person_id", sa.Uuid, nullable=False),
        _reference("establishment_id", "establishments"),
        _reference("professional_id", "professionals"),
        sa.Column("client_id", sa.String),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("declare_until", MOMENT, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("sealed_text", sa.LargeBinary),
        _reference("consent_id", "consents", nullable=True, unique=True),
        sa.Column("declared_at", MOMENT),
        sa.Column("ends_at", MOMENT),
        sa.Column("disputed_at", MOMENT),
        sa.Column("review_due_at", MOMENT),
        sa.Column("reviewed_at", MOMENT),
        sa.Column("outcome", sa.String),
        sa.CheckConstraint("(declared_at IS NULL) = (ends_at IS NULL)", name=op.f("ck_emergency_accesses_bounded")),
    )
    for column in ("person_id", "professional_id"):
        op.create_index(f"ix_emergency_accesses_{column}_declared_at", "emergency_accesses", [column, "declared_at"])
    op.create_index("ix_emergency_accesses_establishment_id", "emergency_accesses", ["establishment_id"])
    unreviewed = sa.text("declared_at IS NOT NULL AND reviewed_at IS NULL")
    op.create_index(
        "ix_emergency_accesses_unreviewed", "emergency_accesses", ["review_due_at"], postgresql_where=unreviewed
    )


def _judgements() -> None:
    op.create_table(
        "emergency_reviews",
        sa.Column("id", sa.Uuid, primary_key=True),
        _reference("emergency_id", "emergency_accesses"),
        sa.Column("reviewer", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("sealed_note", sa.LargeBinary, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_index("ix_emergency_reviews_emergency_id", "emergency_reviews", ["emergency_id"])
    op.create_table(
        "emergency_suspensions",
        sa.Column("id", sa.Uuid, primary_key=True),
        _reference("professional_id", "professionals"),
        _reference("emergency_id", "emergency_accesses"),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("lifted_at", MOMENT),
        sa.Column("lifted_because", sa.String),
    )
    op.create_index(
        "ix_emergency_suspensions_current",
        "emergency_suspensions",
        ["professional_id"],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL"),
    )
