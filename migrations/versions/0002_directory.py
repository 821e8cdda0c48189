"""Establishments, record systems, professionals, affiliations and staff roles."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.guards import mutable

revision = "0002_directory"
down_revision = "0001_foundation"

MOMENT = sa.DateTime(timezone=True)
TABLES = ("establishments", "record_systems", "professionals", "affiliations", "staff_roles")


def upgrade() -> None:
    _organisations()
    _people()
    mutable(*TABLES)


def _organisations() -> None:
    op.create_table(
        "establishments",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("renipress", sa.String(8), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("category", sa.String, nullable=False),
        sa.Column("sector", sa.String, nullable=False),
        sa.Column("region", sa.String, nullable=False),
        sa.Column("ubigeo", sa.String(6), nullable=False),
        sa.Column("fhir_endpoint", sa.String),
        sa.Column("identifier_system", sa.String, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("renipress", name="uq_establishments_renipress"),
        sa.UniqueConstraint("identifier_system", name="uq_establishments_identifier_system"),
    )
    op.create_table(
        "record_systems",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("client_id", sa.String, nullable=False),
        sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("authority", sa.String, nullable=False),
        sa.Column("accredited_from", MOMENT, nullable=False),
        sa.Column("accredited_until", MOMENT, nullable=False),
        sa.Column("suspended_at", MOMENT),
        sa.Column("suspension_reason", sa.String),
        sa.Column("jwks", JSONB, nullable=False),
        sa.Column("redirect_uris", ARRAY(sa.String), nullable=False),
        sa.Column("scopes", ARRAY(sa.String), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("client_id", name="uq_record_systems_client_id"),
    )
    op.create_index("ix_record_systems_establishment_id", "record_systems", ["establishment_id"])


def _people() -> None:
    op.create_table(
        "professionals",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("document_token", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("college", sa.String, nullable=False),
        sa.Column("number", sa.String, nullable=False),
        sa.Column("able_to_practise", sa.Boolean, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("document_token", name="uq_professionals_document_token"),
        sa.UniqueConstraint("college", "number", name="uq_professionals_college_number"),
    )
    op.create_table(
        "affiliations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("professional_id", sa.Uuid, sa.ForeignKey("professionals.id"), nullable=False),
        sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id"), nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("valid_from", MOMENT, nullable=False),
        sa.Column("valid_until", MOMENT),
        sa.UniqueConstraint(
            "professional_id",
            "establishment_id",
            "role",
            name="uq_affiliations_professional_id_establishment_id_role",
        ),
    )
    op.create_index("ix_affiliations_establishment_id", "affiliations", ["establishment_id"])
    op.create_table(
        "staff_roles",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("document_token", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("granted_at", MOMENT, nullable=False),
        sa.Column("valid_until", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("end_reason", sa.String),
    )
    op.create_index(
        "ix_staff_roles_current",
        "staff_roles",
        ["document_token", "role"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
