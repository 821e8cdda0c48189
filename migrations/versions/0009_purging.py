"""What is over goes: delivered outbox messages and ended portal sessions."""

import sqlalchemy as sa
from alembic import op

from registry.database import APP_ROLE

revision = "0009_purging"
down_revision = "0008_master_keys"


def upgrade() -> None:
    op.create_index(
        "ix_outbox_delivered", "outbox", ["delivered_at"], postgresql_where=sa.text("delivered_at IS NOT NULL")
    )
    op.execute(f"GRANT DELETE ON outbox, portal_sessions TO {APP_ROLE}")


def downgrade() -> None:
    op.execute(f"REVOKE DELETE ON outbox, portal_sessions FROM {APP_ROLE}")
    op.drop_index("ix_outbox_delivered", "outbox")
