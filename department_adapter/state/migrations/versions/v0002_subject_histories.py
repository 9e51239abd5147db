"""Histories of subjects. They are derived from every leaf, so the log is read again from its beginning.

What was verified before is not forgotten: its size and last leaf hash stay, and the log must lead through them.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PROJECTION = ("ledger_consents", "ledger_approvals", "ledger_keys", "ledger_decisions", "tail_position")


def upgrade() -> None:
    op.create_table(
        "ledger_subjects",
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_ledger_subjects"),
    )
    op.create_table(
        "verified_prefix",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verified_prefix"),
    )
    op.execute("INSERT INTO verified_prefix (id, size, last) SELECT id, size, last FROM tail_position")
    for table in PROJECTION:
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - constants


def downgrade() -> None:
    op.drop_table("verified_prefix")
    op.drop_table("ledger_subjects")
