"""Queries over recipient keys."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.store.models import RecipientKeyRow, RecordRow


@dataclass(frozen=True)
class StoredKey:
    """A registration of a recipient key."""

    row_id: int
    key_id: str
    registration_jws: bytes


def find(session: Session, bank: str, key_id: str) -> StoredKey | None:
    """The bank's newest recorded registration of this key."""
    query = (
        select(RecipientKeyRow)
        .join(RecordRow, RecordRow.id == RecipientKeyRow.record_id)
        .where(RecipientKeyRow.bank == bank, RecipientKeyRow.key_id == key_id, RecordRow.recorded.is_(True))
        .order_by(RecipientKeyRow.id.desc())
        .limit(1)
    )
    row = session.execute(query).scalar_one_or_none()
    return None if row is None else StoredKey(row.id, row.key_id, row.registration_jws)


def newest(session: Session, bank: str) -> StoredKey | None:
    """The key the bank registered last."""
    query = (
        select(RecipientKeyRow)
        .join(RecordRow, RecordRow.id == RecipientKeyRow.record_id)
        .where(RecipientKeyRow.bank == bank, RecordRow.recorded.is_(True))
        .order_by(RecipientKeyRow.id.desc())
        .limit(1)
    )
    row = session.execute(query).scalar_one_or_none()
    return None if row is None else StoredKey(row.id, row.key_id, row.registration_jws)


def record_key_of(session: Session, bank: str, key_id: str, digest: str) -> str | None:
    """Key of the ledger record of a registration with these bytes."""
    query = select(RecipientKeyRow).where(
        RecipientKeyRow.bank == bank, RecipientKeyRow.key_id == key_id, RecipientKeyRow.digest == digest
    )
    row = session.execute(query).scalar_one_or_none()
    return None if row is None else row.record.key


def add(session: Session, bank: str, key_id: str, digest: str, registration_jws: bytes, record: RecordRow) -> None:
    """Adds a registration."""
    session.add(
        RecipientKeyRow(bank=bank, key_id=key_id, digest=digest, registration_jws=registration_jws, record_id=record.id)
    )
