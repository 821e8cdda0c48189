"""A client publishes its keys at an address of its own, or registers them; one of the two."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0024_published_keys"
down_revision = "0023_deaths"


def upgrade() -> None:
    op.add_column("record_systems", sa.Column("jwks_uri", sa.String))
    op.alter_column("record_systems", "jwks", existing_type=JSONB, nullable=True)
    op.create_check_constraint(op.f("ck_record_systems_keys"), "record_systems", "num_nonnulls(jwks, jwks_uri) = 1")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_record_systems_keys"), "record_systems")
    op.drop_column("record_systems", "jwks_uri")
    op.alter_column("record_systems", "jwks", existing_type=JSONB, nullable=False)
