"""The application's role, the append-only guard, data keys, audit events and the outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations.guards import append_only, mutable
from registry.database import APP_ROLE

revision = "0001_foundation"
down_revision = None

ROLE = f"""
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
    CREATE ROLE {APP_ROLE} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
  END IF;
  IF NOT pg_has_role(current_user, '{APP_ROLE}', 'USAGE') THEN
    EXECUTE format('GRANT {APP_ROLE} TO %I', current_user);
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""

GUARD = """
CREATE FUNCTION renhice_forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$
"""


def upgrade() -> None:
    op.execute(ROLE)
    op.execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}")
    op.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    op.execute(GUARD)
    op.create_table(
        "data_keys",
        sa.Column("owner_id", sa.Uuid, primary_key=True),
        sa.Column("master_key_id", sa.String, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )
    mutable("data_keys", delete=True)
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.String),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("outcome", sa.String, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("person_id", sa.Uuid),
        sa.Column("source_record_id", sa.Uuid),
        sa.Column("establishment_id", sa.Uuid),
        sa.Column("holder_id", sa.Uuid),
        sa.Column("client_id", sa.String),
        sa.Column("professional_id", sa.Uuid),
        sa.Column("actor_person_id", sa.Uuid),
        sa.Column("actor_role", sa.String),
        sa.Column("purpose", sa.String),
        sa.Column("consent_id", sa.Uuid),
        sa.Column("token_id", sa.String),
        sa.Column("detail", JSONB, nullable=False),
    )
    op.create_index("ix_audit_events_recorded_at", "audit_events", ["recorded_at"])
    op.create_index("ix_audit_events_person_id_recorded_at", "audit_events", ["person_id", "recorded_at"])
    append_only("audit_events")
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True)),
        sa.Column("last_error", sa.String),
        sa.UniqueConstraint("topic", "key", name="uq_outbox_topic_key"),
    )
    op.create_index("ix_outbox_due", "outbox", ["available_at"], postgresql_where=sa.text("delivered_at IS NULL"))
    mutable("outbox")


def downgrade() -> None:
    for table in ("outbox", "audit_events", "data_keys"):
        op.drop_table(table)
    op.execute("DROP FUNCTION renhice_forbid_change()")
