"""A message may wait beside its like: one published while the other was being delivered was dropped."""

from alembic import op

revision = "0060_outbox_again"
down_revision = "0059_free_events"

OLDER = """
DELETE FROM outbox one USING outbox other
WHERE one.topic = other.topic AND one.key = other.key AND one.id < other.id
"""


def upgrade() -> None:
    op.drop_constraint("uq_outbox_topic_key", "outbox")


def downgrade() -> None:
    op.execute(OLDER)
    op.create_unique_constraint("uq_outbox_topic_key", "outbox", ["topic", "key"])
