"""The document index: submissions, document references and what replaced what; history, so append-only."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only

revision = "0035_documents"
down_revision = "0034_staff_sign_in"

MOMENT = sa.DateTime(timezone=True)
TABLES = ("document_replacements", "document_references", "document_submissions")


def upgrade() -> None:
    op.create_table(
        "document_submissions",
        sa.Column("id", sa.Uuid, primary_key=True),
        _reference("establishment_id", "establishments"),
        _reference("source_record_id", "source_records"),
        sa.Column("identifier_token", sa.LargeBinary, nullable=False),
        sa.Column("content_token", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("client_id", sa.String, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        _unique("document_submissions"),
    )
    op.create_table(
        "document_references",
        sa.Column("id", sa.Uuid, primary_key=True),
        _reference("submission_id", "document_submissions"),
        _reference("source_record_id", "source_records"),
        _reference("establishment_id", "establishments"),
        sa.Column("identifier_token", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        _unique("document_references"),
    )
    op.create_index("ix_document_references_submission_id", "document_references", ["submission_id"])
    for table in ("document_submissions", "document_references"):
        op.create_index(f"ix_{table}_source_record_id", table, ["source_record_id"])
    op.create_table(
        "document_replacements",
        sa.Column("document_id", sa.Uuid, sa.ForeignKey("document_references.id"), primary_key=True),
        _reference("replaced_by", "document_references"),
        sa.Column("replaced_at", MOMENT, nullable=False),
    )
    op.create_index("ix_document_replacements_replaced_by", "document_replacements", ["replaced_by"])
    append_only(*TABLES)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _reference(name: str, target: str) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid, sa.ForeignKey(f"{target}.id"), nullable=False)


def _unique(table: str) -> sa.UniqueConstraint:
    name = f"uq_{table}_establishment_id_identifier_token"
    return sa.UniqueConstraint("establishment_id", "identifier_token", name=name)
