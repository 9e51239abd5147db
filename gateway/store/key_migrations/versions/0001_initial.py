"""The first schema of the key database.

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
        "key_store",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key_encryption_key", sa.String(length=32), nullable=False),
        sa.Column("index_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_store")),
    )
    op.create_table(
        "companies",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_companies")),
        sa.UniqueConstraint("code", name=op.f("uq_companies_code")),
    )
    op.create_table(
        "entities",
        sa.Column("company_id", KEY, nullable=False),
        sa.Column("entity", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_entities_company_id_companies")),
        sa.PrimaryKeyConstraint("company_id", name=op.f("pk_entities")),
        sa.UniqueConstraint("entity", name=op.f("uq_entities_entity")),
    )
    op.create_table(
        "subject_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("company_id", KEY, nullable=False),
        sa.Column("scope", sa.String(length=400), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_subject_keys_company_id_companies")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_keys")),
        sa.UniqueConstraint("company_id", "scope", name=op.f("uq_subject_keys_company_id_scope")),
    )


def downgrade() -> None:
    """Refused: no command throws keys away but an erasure."""
    raise NotImplementedError("the first schema has no predecessor")
