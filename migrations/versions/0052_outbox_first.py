"""An index of the messages that go before those a file of patients brings one a line of."""

import sqlalchemy as sa
from alembic import op

revision = "0052_outbox_first"
down_revision = "0051_rows_by_bytes"

FIRST = "topic NOT IN ('identity:record:received', 'identity:person:linked')"


def upgrade() -> None:
    undelivered = sa.text(f"delivered_at IS NULL AND {FIRST}")
    op.create_index("ix_outbox_first", "outbox", ["available_at"], postgresql_where=undelivered)


def downgrade() -> None:
    op.drop_index("ix_outbox_first", "outbox")
