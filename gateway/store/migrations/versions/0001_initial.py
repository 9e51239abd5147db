"""The first schema.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Creates all tables."""
    op.create_table(
        "companies",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.String(length=18), nullable=False),
        sa.Column("entity", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_companies")),
        sa.UniqueConstraint("code", name=op.f("uq_companies_code")),
        sa.UniqueConstraint("entity", name=op.f("uq_companies_entity")),
    )
    op.create_table(
        "group_members",
        sa.Column("bank", sa.String(length=400), nullable=False),
        sa.Column("grantee_group", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("bank", name=op.f("pk_group_members")),
    )
    op.create_table(
        "records",
        sa.Column("id", KEY, nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("recorded", sa.Boolean(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_records")),
        sa.UniqueConstraint("key", name=op.f("uq_records_key")),
    )
    op.create_index(op.f("ix_records_recorded"), "records", ["recorded"])

    op.create_table(
        "approvals",
        sa.Column("id", KEY, nullable=False),
        sa.Column("grantee_group", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("approval_jws", sa.LargeBinary(), nullable=False),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.Column("scorecards", sa.JSON(), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_approvals_record_id_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
        sa.UniqueConstraint("digest", name=op.f("uq_approvals_digest")),
        sa.UniqueConstraint("grantee_group", "sequence", name=op.f("uq_approvals_grantee_group_sequence")),
        sa.UniqueConstraint("record_id", name=op.f("uq_approvals_record_id")),
    )
    op.create_table(
        "consents",
        sa.Column("id", KEY, nullable=False),
        sa.Column("consent_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("company_id", KEY, nullable=False),
        sa.Column("grantee", sa.String(length=400), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("consent_jws", sa.LargeBinary(), nullable=False),
        sa.Column("attestation_jws", sa.LargeBinary(), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_consents_company_id_companies")),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_consents_record_id_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
        sa.UniqueConstraint("consent_id", "version", name=op.f("uq_consents_consent_id_version")),
        sa.UniqueConstraint("record_id", name=op.f("uq_consents_record_id")),
    )
    op.create_index(op.f("ix_consents_company_id_grantee"), "consents", ["company_id", "grantee"])
    op.create_index(op.f("ix_consents_valid_until"), "consents", ["valid_until"])

    op.create_table(
        "policies",
        sa.Column("id", KEY, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_policies_record_id_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
        sa.UniqueConstraint("record_id", name=op.f("uq_policies_record_id")),
    )
    op.create_table(
        "recipient_keys",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank", sa.String(length=400), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("registration_jws", sa.LargeBinary(), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_recipient_keys_record_id_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipient_keys")),
        sa.UniqueConstraint("bank", "key_id", "digest", name=op.f("uq_recipient_keys_bank_key_id_digest")),
        sa.UniqueConstraint("record_id", name=op.f("uq_recipient_keys_record_id")),
    )
    op.create_table(
        "requests",
        sa.Column("id", KEY, nullable=False),
        sa.Column("bank", sa.String(length=400), nullable=False),
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("request_jws", sa.LargeBinary(), nullable=False),
        sa.Column("request_salt", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("field", sa.String(length=200), nullable=False),
        sa.Column("failed_step", sa.Integer(), nullable=False),
        sa.Column("decision_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["records.id"], name=op.f("fk_requests_decision_id_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_requests")),
        sa.UniqueConstraint("bank", "request_id", name=op.f("uq_requests_bank_request_id")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_requests_decision_id")),
    )
    op.create_table(
        "scorecards",
        sa.Column("id", KEY, nullable=False),
        sa.Column("scorecard", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=False),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_scorecards_record_id_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scorecards")),
        sa.UniqueConstraint("record_id", name=op.f("uq_scorecards_record_id")),
        sa.UniqueConstraint("scorecard", name=op.f("uq_scorecards_scorecard")),
    )
    op.create_table(
        "subjects",
        sa.Column("id", KEY, nullable=False),
        sa.Column("company_id", KEY, nullable=False),
        sa.Column("grantee_group", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_subjects_company_id_companies")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subjects")),
        sa.UniqueConstraint("company_id", "grantee_group", name=op.f("uq_subjects_company_id_grantee_group")),
        sa.UniqueConstraint("token", name=op.f("uq_subjects_token")),
    )
    op.create_table(
        "allowances",
        sa.Column("request_row_id", KEY, nullable=False),
        sa.Column("consent_row_id", KEY, nullable=False),
        sa.Column("approval_row_id", KEY, nullable=False),
        sa.Column("scorecard_row_id", KEY, nullable=False),
        sa.Column("key_row_id", KEY, nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["approval_row_id"], ["approvals.id"], name=op.f("fk_allowances_approval_row_id_approvals")
        ),
        sa.ForeignKeyConstraint(
            ["consent_row_id"], ["consents.id"], name=op.f("fk_allowances_consent_row_id_consents")
        ),
        sa.ForeignKeyConstraint(
            ["key_row_id"], ["recipient_keys.id"], name=op.f("fk_allowances_key_row_id_recipient_keys")
        ),
        sa.ForeignKeyConstraint(
            ["request_row_id"], ["requests.id"], name=op.f("fk_allowances_request_row_id_requests")
        ),
        sa.ForeignKeyConstraint(
            ["scorecard_row_id"], ["scorecards.id"], name=op.f("fk_allowances_scorecard_row_id_scorecards")
        ),
        sa.PrimaryKeyConstraint("request_row_id", name=op.f("pk_allowances")),
    )
    op.create_index(op.f("ix_allowances_consent_row_id_used_at"), "allowances", ["consent_row_id", "used_at"])

    op.create_table(
        "answers",
        sa.Column("request_row_id", KEY, nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("answer_jws", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("release_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["release_id"], ["records.id"], name=op.f("fk_answers_release_id_records")),
        sa.ForeignKeyConstraint(["request_row_id"], ["requests.id"], name=op.f("fk_answers_request_row_id_requests")),
        sa.PrimaryKeyConstraint("request_row_id", name=op.f("pk_answers")),
        sa.UniqueConstraint("release_id", name=op.f("uq_answers_release_id")),
    )
    op.create_index(op.f("ix_answers_expires_at"), "answers", ["expires_at"])

    op.create_table(
        "consent_transitions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("consent_row_id", KEY, nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("nonce", sa.String(length=32), nullable=False),
        sa.Column("transition_jws", sa.LargeBinary(), nullable=False),
        sa.Column("record_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["consent_row_id"], ["consents.id"], name=op.f("fk_consent_transitions_consent_row_id_consents")
        ),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_consent_transitions_record_id_records")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent_transitions")),
        sa.UniqueConstraint("consent_row_id", "nonce", name=op.f("uq_consent_transitions_consent_row_id_nonce")),
        sa.UniqueConstraint("record_id", name=op.f("uq_consent_transitions_record_id")),
    )


def downgrade() -> None:
    """Refused: there is nothing before it, and no command throws evidence away."""
    raise NotImplementedError("the first schema has no predecessor")
