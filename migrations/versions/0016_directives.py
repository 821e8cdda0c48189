"""Directives: kinds of establishment and whoever treats as grantees; labels, holders, items and dates as matter."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0016_directives"
down_revision = "0015_desk"

GRANTEE = (
    sa.Column("establishment_category", sa.String),
    sa.Column("establishment_sector", sa.String),
    sa.Column("treating", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("hides", sa.Boolean, nullable=False, server_default=sa.false()),
)
MATTER = (
    sa.Column("labels", ARRAY(sa.Text)),
    sa.Column("sources", ARRAY(sa.Uuid)),
    sa.Column("items", ARRAY(sa.Text)),
    sa.Column("data_from", sa.Date),
    sa.Column("data_until", sa.Date),
)
NAMED = "kind = 'objection' OR establishment_id IS NOT NULL"
NAMED_SOMEHOW = f"{NAMED} OR num_nonnulls(professional_id, establishment_category, establishment_sector) > 0"


def upgrade() -> None:
    for column in GRANTEE:
        op.add_column("consents", column)
    for column in MATTER:
        op.add_column("consent_versions", column)
    _replace_check(NAMED_SOMEHOW)
    op.create_check_constraint(op.f("ck_consents_only_objections_hide"), "consents", "kind = 'objection' OR NOT hides")
    op.create_check_constraint(
        op.f("ck_consents_treating_somewhere"), "consents", "NOT treating OR establishment_id IS NOT NULL"
    )


def downgrade() -> None:
    for name in ("treating_somewhere", "only_objections_hide"):
        op.drop_constraint(op.f(f"ck_consents_{name}"), "consents")
    _replace_check(NAMED)
    for column in MATTER:
        op.drop_column("consent_versions", column.name)
    for column in GRANTEE:
        op.drop_column("consents", column.name)


def _replace_check(rule: str) -> None:
    name = op.f("ck_consents_permission_names_grantee")
    op.drop_constraint(name, "consents")
    op.create_check_constraint(name, "consents", rule)
