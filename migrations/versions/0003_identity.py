"""Source records and their versions, persons, membership events and the worklist of possible matches."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.guards import append_only, mutable

revision = "0003_identity"
down_revision = "0002_directory"

MOMENT = sa.DateTime(timezone=True)
TABLES = (
    "source_records",
    "source_record_versions",
    "verifications",
    "blocking_tokens",
    "persons",
    "memberships",
    "membership_events",
    "possible_matches",
)


def upgrade() -> None:
    _sources()
    _persons()
    _events()
    append_only("source_record_versions", "verifications", "membership_events")
    mutable("source_records", "persons", "memberships", "possible_matches")
    mutable("blocking_tokens", delete=True)


def _record_key(*, primary_key: bool = False, index: bool | None = None) -> sa.Column[object]:
    return sa.Column(
        "source_record_id",
        sa.Uuid,
        sa.ForeignKey("source_records.id"),
        primary_key=primary_key,
        nullable=False,
        index=index,
    )


def _sources() -> None:
    op.create_table(
        "source_records",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("establishment_id", sa.Uuid, nullable=False),
        sa.Column("local_token", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("content_token", sa.LargeBinary, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("verified", sa.Boolean, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.UniqueConstraint("establishment_id", "local_token", name="uq_source_records_establishment_id_local_token"),
    )
    op.create_table(
        "source_record_versions",
        _record_key(primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("client_id", sa.String, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
    )
    op.create_table(
        "verifications",
        sa.Column("id", sa.Uuid, primary_key=True),
        _record_key(index=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("checked_at", MOMENT, nullable=False),
    )
    op.create_table(
        "blocking_tokens",
        sa.Column("token", sa.LargeBinary, primary_key=True),
        _record_key(primary_key=True, index=True),
    )


def _persons() -> None:
    op.create_table(
        "persons",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("replaced_by", sa.Uuid, sa.ForeignKey("persons.id"), index=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_table(
        "memberships",
        _record_key(primary_key=True),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False, index=True),
        sa.Column("since", MOMENT, nullable=False),
    )


def _events() -> None:
    op.create_table(
        "membership_events",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False, index=True),
        _record_key(index=True),
        sa.Column("other_person_id", sa.Uuid),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("model_hash", sa.String),
        sa.Column("weight", sa.Float),
        sa.Column("contributions", JSONB),
    )
    op.create_table(
        "possible_matches",
        sa.Column("id", sa.Uuid, primary_key=True),
        _record_key(),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("rivals", ARRAY(sa.Uuid), nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("weight", sa.Float, nullable=False),
        sa.Column("contributions", JSONB, nullable=False),
        sa.Column("model_hash", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
    )
    op.create_index(
        "ix_possible_matches_open",
        "possible_matches",
        ["source_record_id"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
