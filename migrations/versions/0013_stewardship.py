"""Stewards' decisions, the rulings they leave, citizens' contests, and who works on which possible match."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.guards import append_only, mutable

revision = "0013_stewardship"
down_revision = "0012_blocking_schemes"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _cases()
    _decisions()
    _rulings()
    _contests()
    append_only("steward_decisions", "decision_answers")
    mutable("rulings", "contests")
    op.add_column("persons", sa.Column("regrouped_at", MOMENT))
    decision = sa.Column("decision_id", sa.Uuid, sa.ForeignKey("steward_decisions.id"))
    op.add_column("membership_events", decision)
    op.create_index("ix_membership_events_decision_id", "membership_events", ["decision_id"])
    op.add_column("possible_matches", _key("closed_by", "steward_decisions", nullable=True))
    op.create_index("ix_possible_matches_closed_by", "possible_matches", ["closed_by"])


def downgrade() -> None:
    op.drop_column("possible_matches", "closed_by")
    op.drop_index("ix_membership_events_decision_id", "membership_events")
    op.drop_column("membership_events", "decision_id")
    op.drop_column("persons", "regrouped_at")
    for table in ("contests", "rulings", "decision_answers", "steward_decisions"):
        op.drop_table(table)
    for column in ("undecided", "assigned_at", "assigned_to", "revision"):
        op.drop_column("possible_matches", column)


def _key(name: str, table: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid, sa.ForeignKey(f"{table}.id"), nullable=nullable, primary_key=primary_key)


def _cases() -> None:
    op.add_column("possible_matches", sa.Column("revision", sa.Integer, nullable=False, server_default="1"))
    op.add_column("possible_matches", sa.Column("assigned_to", sa.String))
    op.add_column("possible_matches", sa.Column("assigned_at", MOMENT))
    op.add_column("possible_matches", sa.Column("undecided", sa.Integer, nullable=False, server_default="0"))


def _decisions() -> None:
    op.create_table(
        "steward_decisions",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("verdict", sa.String, nullable=False),
        _key("possible_match_id", "possible_matches", nullable=True),
        _key("undoes", "steward_decisions", nullable=True),
        _key("person_id", "persons"),
        sa.Column("others", ARRAY(sa.Uuid), nullable=False),
        sa.Column("records", ARRAY(sa.Uuid), nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("survivor", sa.Uuid),
        sa.Column("basis", JSONB, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("sealed_note", sa.LargeBinary),
        sa.Column("steward", sa.String, nullable=False),
        sa.Column("client_id", sa.String),
        sa.Column("needs_second", sa.Boolean, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
    )
    op.create_index("ix_steward_decisions_possible_match_id", "steward_decisions", ["possible_match_id"])
    op.create_index("ix_steward_decisions_undoes", "steward_decisions", ["undoes"])
    op.create_index("ix_steward_decisions_person_id_decided_at", "steward_decisions", ["person_id", "decided_at"])
    op.create_index("ix_steward_decisions_others", "steward_decisions", ["others"], postgresql_using="gin")
    op.create_table(
        "decision_answers",
        _key("decision_id", "steward_decisions", primary_key=True),
        sa.Column("answer", sa.String, nullable=False),
        sa.Column("steward", sa.String, nullable=False),
        sa.Column("client_id", sa.String),
        sa.Column("answered_at", MOMENT, nullable=False),
    )


def _rulings() -> None:
    op.create_table(
        "rulings",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("verdict", sa.String, nullable=False),
        _key("record_id", "source_records"),
        _key("other_record_id", "source_records"),
        _key("decision_id", "steward_decisions"),
        sa.Column("record_check", sa.String),
        sa.Column("other_record_check", sa.String),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        _key("ended_by", "steward_decisions", nullable=True),
    )
    in_force = sa.text("ended_at IS NULL")
    op.create_index("ix_rulings_in_force", "rulings", ["record_id"], postgresql_where=in_force)
    op.create_index("ix_rulings_in_force_other", "rulings", ["other_record_id"], postgresql_where=in_force)
    op.create_index("ix_rulings_decision_id", "rulings", ["decision_id"])
    op.create_index("ix_rulings_ended_by", "rulings", ["ended_by"])


def _contests() -> None:
    op.create_table(
        "contests",
        sa.Column("id", sa.Uuid, primary_key=True),
        _key("source_record_id", "source_records"),
        sa.Column("version", sa.Integer, nullable=False),
        _key("person_id", "persons"),
        _key("possible_match_id", "possible_matches"),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        _key("decision_id", "steward_decisions", nullable=True),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("closed_at", MOMENT),
    )
    still_open = sa.text("status = 'open'")
    op.create_index("ix_contests_open", "contests", ["source_record_id"], unique=True, postgresql_where=still_open)
    op.create_index("ix_contests_person_id_opened_at", "contests", ["person_id", "opened_at"])
    op.create_index("ix_contests_possible_match_id", "contests", ["possible_match_id"])
    op.create_index("ix_contests_decision_id", "contests", ["decision_id"])
