"""Tokens for one document: the categories of record they rest on, which their scopes do not name."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0037_document_tokens"
down_revision = "0036_passkeys"


def upgrade() -> None:
    op.add_column("access_tokens", sa.Column("categories", ARRAY(sa.Text)))


def downgrade() -> None:
    op.drop_column("access_tokens", "categories")
