"""The HL7 v2 port: client certificates, names of assigning authorities, and messages already answered."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0039_hl7v2"
down_revision = "0038_conformance_reports"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("establishments", sa.Column("hl7_namespace", sa.String))
    op.create_unique_constraint(op.f("uq_establishments_hl7_namespace"), "establishments", ["hl7_namespace"])
    op.create_table(
        "client_certificates",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("record_system_id", sa.Uuid, sa.ForeignKey("record_systems.id"), nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("application", sa.String, nullable=False),
        sa.Column("facility", sa.String, nullable=False),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
    )
    op.create_index("ix_client_certificates_record_system_id", "client_certificates", ["record_system_id"])
    op.create_index(
        "ix_client_certificates_current",
        "client_certificates",
        ["sha256"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    mutable("client_certificates")
    op.create_table(
        "answered_messages",
        sa.Column("token", sa.LargeBinary, primary_key=True),
        sa.Column("received_at", MOMENT, nullable=False),
    )
    op.create_index("ix_answered_messages_received_at", "answered_messages", ["received_at"])
    mutable("answered_messages", delete=True)


def downgrade() -> None:
    op.drop_table("answered_messages")
    op.drop_table("client_certificates")
    op.drop_constraint(op.f("uq_establishments_hl7_namespace"), "establishments")
    op.drop_column("establishments", "hl7_namespace")
