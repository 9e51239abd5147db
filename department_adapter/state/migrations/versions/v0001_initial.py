"""First schema.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reservations",
        sa.Column("leaf", sa.String(length=64), nullable=False),
        sa.Column("consent_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("leaf", name="pk_reservations"),
    )
    op.create_index(
        "ix_reservations_consent_id_version_decided_at", "reservations", ["consent_id", "version", "decided_at"]
    )
    op.create_table(
        "answers",
        sa.Column("leaf", sa.String(length=64), nullable=False),
        sa.Column("answer_jws", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertexts", sa.LargeBinary(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["leaf"], ["reservations.leaf"], name="fk_answers_leaf_reservations"),
        sa.PrimaryKeyConstraint("leaf", name="pk_answers"),
    )
    op.create_index("ix_answers_not_after", "answers", ["not_after"])
    op.create_table(
        "pinned_subjects",
        sa.Column("company", sa.String(length=18), nullable=False),
        sa.Column("grantee_group", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("company", "grantee_group", name="pk_pinned_subjects"),
    )
    op.create_table(
        "direct_restrictions",
        sa.Column("consent_id", sa.String(length=32), nullable=False),
        sa.Column("nonce", sa.String(length=32), nullable=False),
        sa.Column("company", sa.String(length=18), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("transition_jws", sa.LargeBinary(), nullable=False),
        sa.Column("tail_size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consent_id", "nonce", "company", name="pk_direct_restrictions"),
    )
    _create_projection()


def _create_projection() -> None:
    op.create_table(
        "tail_position",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.String(length=64), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tail_position"),
    )
    op.create_table(
        "ledger_consents",
        sa.Column("consent_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("resumed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consent_id", name="pk_ledger_consents"),
    )
    op.create_table(
        "ledger_approvals",
        sa.Column("grantee_group", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("grantee_group", name="pk_ledger_approvals"),
    )
    op.create_table(
        "ledger_keys",
        sa.Column("institution", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("institution", "key_id", name="pk_ledger_keys"),
    )
    op.create_table(
        "ledger_decisions",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("ts", sa.String(length=27), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_ledger_decisions"),
    )
    op.create_index("ix_ledger_decisions_ts", "ledger_decisions", ["ts"])


def downgrade() -> None:
    for table in (
        "ledger_decisions",
        "ledger_keys",
        "ledger_approvals",
        "ledger_consents",
        "tail_position",
        "direct_restrictions",
        "pinned_subjects",
        "answers",
        "reservations",
    ):
        op.drop_table(table)
