"""Registrations of the keys used last, so that proofs are checked and tables begun right after a restart.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recipient_keys",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("bank", sa.String(length=255), nullable=False),
        sa.Column("registration_jws", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_recipient_keys"),
    )


def downgrade() -> None:
    op.drop_table("recipient_keys")
