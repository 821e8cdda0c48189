"""The days of the records a person permits with help."""

import sqlalchemy as sa
from alembic import op

revision = "0043_assisted_days"
down_revision = "0042_subscription_history"


def upgrade() -> None:
    op.add_column("assisted_consents", sa.Column("data_from", sa.Date))
    op.add_column("assisted_consents", sa.Column("data_until", sa.Date))


def downgrade() -> None:
    op.drop_column("assisted_consents", "data_until")
    op.drop_column("assisted_consents", "data_from")
