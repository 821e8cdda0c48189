"""The desk: device authorizations, short codes, and the wrong ones that are counted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from migrations.guards import mutable

revision = "0015_desk"
down_revision = "0014_signals"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "short_codes",
        sa.Column("code_token", sa.LargeBinary, primary_key=True),
        sa.Column("access_request_id", sa.Uuid, sa.ForeignKey("access_requests.id"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("opened_at", MOMENT),
    )
    op.create_table(
        "wrong_codes",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("subject", sa.LargeBinary, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
    )
    op.create_index("ix_wrong_codes_subject_at", "wrong_codes", ["subject", "at"])
    op.create_table(
        "device_authorizations",
        sa.Column("device_code_hash", sa.LargeBinary, primary_key=True),
        sa.Column("client_id", sa.String, nullable=False),
        sa.Column("access_request_id", sa.Uuid, sa.ForeignKey("access_requests.id"), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("interval_seconds", sa.Integer, nullable=False),
        sa.Column("polled_at", MOMENT),
        sa.Column("used_at", MOMENT),
        sa.Column("grant_id", sa.Uuid, sa.ForeignKey("oauth_grants.id")),
    )
    for table in ("short_codes", "device_authorizations"):
        for column in ("access_request_id", "expires_at"):
            op.create_index(f"ix_{table}_{column}", table, [column])
    mutable("short_codes", "wrong_codes", "device_authorizations", delete=True)


def downgrade() -> None:
    for table in ("device_authorizations", "wrong_codes", "short_codes"):
        op.drop_table(table)
