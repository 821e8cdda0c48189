"""What was asked and granted exactly, beyond what scopes say (RFC 9396)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0027_authorization_details"
down_revision = "0026_representations"

TABLES = ("authorization_requests", "oauth_grants")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("authorization_details", JSONB))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "authorization_details")
