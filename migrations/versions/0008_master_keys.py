"""Which master keys are still in use, found by index; nothing is wrapped under a retired one again."""

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only

revision = "0008_master_keys"
down_revision = "0007_identity_checks"

GUARD = """
CREATE FUNCTION renhice_refuse_retired_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM retired_master_keys WHERE id = NEW.master_key_id) THEN
    RAISE EXCEPTION 'master key % is retired', NEW.master_key_id
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Restart this process: it holds old keys.';
  END IF;
  RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.create_index("ix_data_keys_master_key_id", "data_keys", ["master_key_id"])
    op.create_table(
        "retired_master_keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=False),
    )
    append_only("retired_master_keys")
    op.execute(GUARD)
    op.execute(
        "CREATE TRIGGER data_keys_not_retired BEFORE INSERT OR UPDATE OF master_key_id ON data_keys "
        "FOR EACH ROW EXECUTE FUNCTION renhice_refuse_retired_key()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER data_keys_not_retired ON data_keys")
    op.execute("DROP FUNCTION renhice_refuse_retired_key()")
    op.drop_table("retired_master_keys")
    op.drop_index("ix_data_keys_master_key_id", "data_keys")
