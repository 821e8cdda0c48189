"""Blocking tokens without a foreign key: a record has a score of them, and each was looked up as it was written."""

from alembic import op

revision = "0047_free_tokens"
down_revision = "0046_pide_service"

NAME = "fk_blocking_tokens_source_record_id"


def upgrade() -> None:
    op.drop_constraint(op.f(NAME), "blocking_tokens")


def downgrade() -> None:
    op.create_foreign_key(op.f(NAME), "blocking_tokens", "source_records", ["source_record_id"], ["id"])
