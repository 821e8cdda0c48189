"""Which trips to an identity provider go to the staff's."""

import sqlalchemy as sa
from alembic import op

revision = "0034_staff_sign_in"
down_revision = "0033_asked_labels"


def upgrade() -> None:
    op.add_column("portal_sign_ins", sa.Column("staff", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("portal_sign_ins", "staff")
