"""Text messages: their queue, and the codes that travel in them."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import mutable

revision = "0021_text_messages"
down_revision = "0020_hidden_links"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "text_messages",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("queued_at", MOMENT, nullable=False),
        sa.Column("available_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("outcome", sa.String),
        sa.UniqueConstraint("kind", "subject_id", name="uq_text_messages_kind_subject_id"),
    )
    op.create_index(
        "ix_text_messages_due", "text_messages", ["available_at"], postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index("ix_text_messages_ended_at", "text_messages", ["ended_at"])
    op.create_table(
        "sms_codes",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("access_request_id", sa.Uuid, sa.ForeignKey("access_requests.id"), nullable=False),
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("establishment_id", sa.Uuid, nullable=False),
        sa.Column("number_token", sa.LargeBinary, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("used_at", MOMENT),
    )
    op.create_index("ix_sms_codes_access_request_id", "sms_codes", ["access_request_id"])
    for whose in ("person_id", "establishment_id"):
        op.create_index(f"ix_sms_codes_{whose}_created_at", "sms_codes", [whose, "created_at"])
    mutable("text_messages", "sms_codes", delete=True)


def downgrade() -> None:
    op.drop_table("sms_codes")
    op.drop_table("text_messages")
