"""Each client has a security profile: FAPI 2.0 for record systems, which all there are become, SMART for apps."""

import sqlalchemy as sa
from alembic import op

revision = "0010_client_profiles"
down_revision = "0009_purging"


def upgrade() -> None:
    op.add_column("record_systems", sa.Column("profile", sa.String, nullable=False, server_default="fapi2"))
    op.alter_column("record_systems", "profile", server_default=None)
    op.create_check_constraint(op.f("ck_record_systems_profile"), "record_systems", "profile IN ('fapi2', 'smart')")


def downgrade() -> None:
    op.drop_column("record_systems", "profile")
