"""Membership events without foreign keys: the membership written with each has them, and each was looked up twice."""

from alembic import op

revision = "0059_free_events"
down_revision = "0058_outbox_waits"

KEYS = {"person_id": "persons", "source_record_id": "source_records"}


def upgrade() -> None:
    for column in KEYS:
        op.drop_constraint(op.f(f"fk_membership_events_{column}"), "membership_events")


def downgrade() -> None:
    for column, table in KEYS.items():
        op.create_foreign_key(op.f(f"fk_membership_events_{column}"), "membership_events", table, [column], ["id"])
