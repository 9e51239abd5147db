"""Intents for the ledger: written with the domain row in one transaction, receipted later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store.models import RecordRow
from ledger.entry import MAX_LEAF
from ledger.errors import EntryInvalid
from ledger.kinds import KINDS
from ledger.receipt import Receipt

MAX_BODY = MAX_LEAF - 1024
"""Largest body in bytes; the rest of a leaf (log, nonce, hashes, times) takes less than the difference."""


@dataclass(frozen=True)
class Intent:
    """An entry that must stand on the ledger, with its receipt once it does."""

    key: str
    kind: str
    body: bytes
    receipt: Receipt | None


def intend(session: Session, key: str, kind: str, body: Mapping[str, object], now: datetime) -> RecordRow:
    """Adds an intent; the caller's unique rows make sure that it is the first with this key.

    Raises INVALID_ARGUMENT_FIELD for a body that the ledger would never accept: stored, it would wait for ever.
    """
    row = RecordRow(
        key=key,
        kind=kind,
        body=_acceptable(kind, body),
        created_at=int(now.timestamp()),
        recorded=False,
        leaf=b"",
        proof=b"",
    )
    session.add(row)
    session.flush()
    return row


def _acceptable(kind: str, body: Mapping[str, object]) -> bytes:
    try:
        KINDS[kind].check(body)
    except EntryInvalid as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=error.field) from error
    encoded = canonical.encode(body)
    if len(encoded) > MAX_BODY:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="body", private="too large for a leaf")
    return encoded


def receipt_of(row: RecordRow) -> Receipt | None:
    """The receipt, once there is one."""
    return Receipt(leaf=row.leaf, proof=row.proof) if row.recorded else None


def intent(session: Session, key: str) -> Intent:
    """The intent with this key; it exists, since keys come from rows that refer to it."""
    row = session.execute(select(RecordRow).where(RecordRow.key == key)).scalar_one()
    return Intent(row.key, row.kind, row.body, receipt_of(row))


def mark_recorded(session: Session, key: str, receipt: Receipt) -> None:
    """Stores the receipt, replacing an older proof of the same leaf."""
    row = session.execute(select(RecordRow).where(RecordRow.key == key)).scalar_one()
    row.leaf, row.proof, row.recorded = receipt.leaf, receipt.proof, True


def unrecorded(session: Session, limit: int) -> list[str]:
    """Keys of intents without receipt, oldest first."""
    query = select(RecordRow.key).where(RecordRow.recorded.is_(False)).order_by(RecordRow.id).limit(limit)
    return list(session.execute(query).scalars())
