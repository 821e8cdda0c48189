"""Re-resolution: models by hash, runs in slices, what they would change, and who approved."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.guards import append_only, mutable

revision = "0019_reresolution"
down_revision = "0018_residual"

MOMENT = sa.DateTime(timezone=True)
TABLES = ("match_models", "reresolution_runs", "reresolution_slices", "reresolution_changes", "reresolution_approvals")


def upgrade() -> None:
    op.create_table(
        "match_models",
        sa.Column("hash", sa.String, primary_key=True),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("document", JSONB, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
    )
    _runs()
    _changes()
    op.create_table(
        "reresolution_approvals",
        _run(primary_key=True),
        sa.Column("steward", sa.String, primary_key=True),
        sa.Column("approved_at", MOMENT, nullable=False),
    )
    append_only("match_models", "reresolution_approvals")
    mutable("reresolution_runs", "reresolution_slices", "reresolution_changes")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _run(*, primary_key: bool = False) -> sa.Column[object]:
    return sa.Column("run_id", sa.Uuid, sa.ForeignKey("reresolution_runs.id"), primary_key=primary_key, nullable=False)


def _runs() -> None:
    op.create_table(
        "reresolution_runs",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("model_hash", sa.String, sa.ForeignKey("match_models.hash"), nullable=False),
        sa.Column("former_hash", sa.String, nullable=False),
        sa.Column("started_by", sa.String, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("report", JSONB),
        sa.Column("reported_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.Column("ended_by", sa.String),
    )
    op.execute(
        "CREATE UNIQUE INDEX ix_reresolution_runs_open ON reresolution_runs ((true)) "
        "WHERE status IN ('shadow', 'reported', 'approved', 'applying')"
    )
    op.create_table(
        "reresolution_slices",
        _run(primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("after", sa.Uuid),
        sa.Column("until", sa.Uuid, nullable=False),
        sa.Column("persons", sa.Integer, nullable=False),
        sa.Column("records", sa.Integer, nullable=False),
        sa.Column("too_big", sa.Integer, nullable=False),
        sa.Column("done_at", MOMENT),
    )
    op.create_index(
        "ix_reresolution_slices_due",
        "reresolution_slices",
        ["run_id", "number"],
        postgresql_where=sa.text("done_at IS NULL"),
    )


def _changes() -> None:
    op.create_table(
        "reresolution_changes",
        sa.Column("id", sa.Uuid, primary_key=True),
        _run(),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("person_id", sa.Uuid, sa.ForeignKey("persons.id"), nullable=False),
        sa.Column("target_id", sa.Uuid, sa.ForeignKey("persons.id")),
        sa.Column("records", ARRAY(sa.Uuid), nullable=False),
        sa.Column("rivals", ARRAY(sa.Uuid), nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("weight", sa.Float),
        sa.Column("contributions", JSONB),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("settled_at", MOMENT),
        sa.UniqueConstraint(
            "run_id", "kind", "person_id", "records", name="uq_reresolution_changes_run_id_kind_person_id_records"
        ),
    )
    op.create_index(
        "ix_reresolution_changes_run_id_status_rank_id", "reresolution_changes", ["run_id", "status", "rank", "id"]
    )
