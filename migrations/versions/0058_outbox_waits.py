"""The outbox holds what waits and nothing else: a national file left two rows a record for a week."""

import sqlalchemy as sa
from alembic import op

revision = "0058_outbox_waits"
down_revision = "0057_mother_numbers"

WAITING, GIVEN_UP = "attempts < 12", "attempts >= 12"
FIRST = "topic NOT IN ('identity:record:received', 'identity:person:linked')"
UNDELIVERED = "delivered_at IS NULL"


def upgrade() -> None:
    op.execute("SET LOCAL statement_timeout = 0")  # a week's messages may be many
    op.execute("DELETE FROM outbox WHERE delivered_at IS NOT NULL")
    for name in ("ix_outbox_due", "ix_outbox_first", "ix_outbox_delivered"):
        op.drop_index(name, "outbox")
    op.drop_column("outbox", "delivered_at")
    _index("ix_outbox_due", "available_at", WAITING)
    _index("ix_outbox_first", "available_at", f"{WAITING} AND {FIRST}")
    _index("ix_outbox_given_up", "id", GIVEN_UP)
    # by its scale of a fifth a backlog of millions would be looked at when as many index entries lead nowhere
    op.execute("ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)")


def downgrade() -> None:
    op.execute("ALTER TABLE outbox RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)")
    for name in ("ix_outbox_due", "ix_outbox_first", "ix_outbox_given_up"):
        op.drop_index(name, "outbox")
    op.add_column("outbox", sa.Column("delivered_at", sa.DateTime(timezone=True)))
    _index("ix_outbox_due", "available_at", UNDELIVERED)
    _index("ix_outbox_first", "available_at", f"{UNDELIVERED} AND {FIRST}")
    _index("ix_outbox_delivered", "delivered_at", "delivered_at IS NOT NULL")


def _index(name: str, column: str, where: str) -> None:
    op.create_index(name, "outbox", [column], postgresql_where=sa.text(where))
