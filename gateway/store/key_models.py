"""Tables of the key database: wrapped data keys, and which company they belong to, as keyed hashes.

Nothing here is readable without the key-encryption key: codes and entity ids are HMAC-SHA256 under an index key that is
itself wrapped. The index stands here and not beside the rows that it leads to, because it must go with the keys: in a
copy of the store's database nothing tells which company a row is about, not even to somebody who can guess codes.

This database is small, and copies of it undo erasures: it is kept beside no backup, or beside one that ends in days.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, LargeBinary, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gateway.store.models import NAMING_CONVENTION, Key


class KeyBase(DeclarativeBase):
    """Base of the key database's tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class KeyStoreRow(KeyBase):
    """The one row about this database: its own id, the id of the key it is wrapped under, the wrapped index key."""

    __tablename__ = "key_store"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    key_encryption_key: Mapped[str] = mapped_column(String(32))
    index_key: Mapped[bytes] = mapped_column(LargeBinary)


class CompanyRow(KeyBase):
    """A company that somebody consented for or asked about: HMAC of its code."""

    __tablename__ = "companies"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)


class EntityRow(KeyBase):
    """HMAC of the entity id that the registry gave this company; absent while no attestation was seen."""

    __tablename__ = "entities"

    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"), primary_key=True)
    entity: Mapped[str] = mapped_column(String(64), unique=True)


class SubjectKeyRow(KeyBase):
    """A wrapped data key. `scope` is the grantee group, or a bank as long as it has none."""

    __tablename__ = "subject_keys"
    __table_args__ = (UniqueConstraint("company_id", "scope"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    scope: Mapped[str] = mapped_column(String(400))
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
