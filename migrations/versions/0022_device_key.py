"""The key a device code is bound to, if its client proved one (RFC 9449)."""

import sqlalchemy as sa
from alembic import op

revision = "0022_device_key"
down_revision = "0021_text_messages"


def upgrade() -> None:
    op.add_column("device_authorizations", sa.Column("jkt", sa.String))


def downgrade() -> None:
    op.drop_column("device_authorizations", "jkt")
