"""Tokens whose company was forgotten.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "erasures",
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("record_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_erasures_record_id_records")),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_erasures")),
        sa.UniqueConstraint("record_id", name=op.f("uq_erasures_record_id")),
    )


def downgrade() -> None:
    """Drops the table."""
    op.drop_table("erasures")
