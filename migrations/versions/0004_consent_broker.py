"""Consent broker: consents and their versions, access requests, grants, codes and tokens."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from migrations.guards import append_only, mutable

revision = "0004_consent_broker"
down_revision = "0003_identity"

MOMENT = sa.DateTime(timezone=True)
TABLES = (
    "client_assertions",
    "access_tokens",
    "refresh_tokens",
    "authorization_codes",
    "oauth_grants",
    "authorization_requests",
    "access_requests",
    "consent_versions",
    "consents",
)


def upgrade() -> None:
    _consents()
    _access_requests()
    _authorization_requests()
    _grants()
    _credentials()
    _access_tokens()
    append_only("consents", "consent_versions")
    mutable("access_requests", "oauth_grants")
    queues = ("authorization_requests", "authorization_codes", "refresh_tokens", "access_tokens", "client_assertions")
    mutable(*queues, delete=True)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _establishment(*, nullable: bool = False) -> sa.Column[object]:
    return sa.Column("establishment_id", sa.Uuid, sa.ForeignKey("establishments.id"), nullable=nullable)


def _professional(*, nullable: bool = True) -> sa.Column[object]:
    return sa.Column("professional_id", sa.Uuid, sa.ForeignKey("professionals.id"), nullable=nullable)


def _consents() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        _establishment(nullable=True),
        _professional(),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("kind IN ('permission', 'objection')", name=op.f("ck_consents_kind")),
        sa.CheckConstraint(
            "kind = 'objection' OR establishment_id IS NOT NULL", name=op.f("ck_consents_permission_names_grantee")
        ),
    )
    op.create_index("ix_consents_person_id", "consents", ["person_id"])
    op.create_index("ix_consents_establishment_id", "consents", ["establishment_id"])
    op.create_table(
        "consent_versions",
        sa.Column("consent_id", sa.Uuid, sa.ForeignKey("consents.id"), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("categories", ARRAY(sa.Text)),
        sa.Column("purposes", ARRAY(sa.Text)),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("evidence", JSONB, nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_consent_versions_counted_from_one")),
        sa.CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name=op.f("ck_consent_versions_period")),
    )


def _access_requests() -> None:
    op.create_table(
        "access_requests",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("consent_id", sa.Uuid, sa.ForeignKey("consents.id"), nullable=False),
        sa.Column("client_id", sa.String),
        _establishment(),
        _professional(nullable=False),
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("categories", ARRAY(sa.Text), nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT),
    )
    op.create_index("ix_access_requests_person_id_status", "access_requests", ["person_id", "status"])
    for column in ("consent_id", "establishment_id", "professional_id"):
        op.create_index(f"ix_access_requests_{column}", "access_requests", [column])


def _authorization_requests() -> None:
    op.create_table(
        "authorization_requests",
        sa.Column("challenge_hash", sa.LargeBinary, primary_key=True),
        sa.Column("client_id", sa.String, nullable=False),
        _establishment(),
        sa.Column("redirect_uri", sa.String, nullable=False),
        sa.Column("scopes", ARRAY(sa.Text), nullable=False),
        sa.Column("state", sa.String),
        sa.Column("code_challenge", sa.String, nullable=False),
        sa.Column("access_request_id", sa.Uuid, sa.ForeignKey("access_requests.id")),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT),
    )
    op.create_index("ix_authorization_requests_expires_at", "authorization_requests", ["expires_at"])


def _grants() -> None:
    op.create_table(
        "oauth_grants",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("client_id", sa.String, nullable=False),
        _establishment(),
        _professional(),
        sa.Column("person_id", sa.Uuid, nullable=False),
        sa.Column("purpose", sa.String, nullable=False),
        sa.Column("consent_id", sa.Uuid, sa.ForeignKey("consents.id"), nullable=False),
        sa.Column("scopes", ARRAY(sa.Text), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        sa.Column("revoked_because", sa.String),
    )
    for column in ("client_id", "person_id", "consent_id"):
        op.create_index(f"ix_oauth_grants_{column}", "oauth_grants", [column])


def _credentials() -> None:
    op.create_table(
        "authorization_codes",
        sa.Column("code_hash", sa.LargeBinary, primary_key=True),
        sa.Column("grant_id", sa.Uuid, sa.ForeignKey("oauth_grants.id"), nullable=False),
        sa.Column("client_id", sa.String, nullable=False),
        sa.Column("redirect_uri", sa.String, nullable=False),
        sa.Column("code_challenge", sa.String, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("grant_id", sa.Uuid, sa.ForeignKey("oauth_grants.id"), nullable=False),
        sa.Column("client_id", sa.String, nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
    )
    for table in ("authorization_codes", "refresh_tokens"):
        for column in ("grant_id", "expires_at"):
            op.create_index(f"ix_{table}_{column}", table, [column])
    op.create_table(
        "client_assertions",
        sa.Column("client_id", sa.String, primary_key=True),
        sa.Column("jti_hash", sa.LargeBinary, primary_key=True),
        sa.Column("expires_at", MOMENT, nullable=False),
    )
    op.create_index("ix_client_assertions_expires_at", "client_assertions", ["expires_at"])


def _access_tokens() -> None:
    op.create_table(
        "access_tokens",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("client_id", sa.String, nullable=False),
        _establishment(),
        sa.Column("audience", sa.String, nullable=False),
        sa.Column("scopes", ARRAY(sa.Text), nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT),
        sa.Column("grant_id", sa.Uuid, sa.ForeignKey("oauth_grants.id")),
        sa.Column("person_id", sa.Uuid),
        sa.Column("professional_id", sa.Uuid),
        sa.Column("purpose", sa.String),
        sa.Column("patient", sa.String),
    )
    for column in ("client_id", "expires_at", "grant_id"):
        op.create_index(f"ix_access_tokens_{column}", "access_tokens", [column])
