"""Histories of subjects in the database, and what is left to be read again after an upgrade."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from department_adapter.state.models import POSITION_ID, LedgerSubjectRow, VerifiedPrefixRow
from ledger.history import SubjectHistory
from ledger.merkle import HASH_BYTES


@dataclass(frozen=True)
class VerifiedPrefix:
    """History that an older version of this program verified without counting subjects: `size` leaves, the last with
    the hash `last`. It is read again, and must be the same.
    """

    size: int
    last: str


def history_of(session: Session, token: str) -> SubjectHistory:
    """Empty for a token that no leaf bears."""
    row = session.get(LedgerSubjectRow, token)
    return SubjectHistory() if row is None else SubjectHistory(row.entries, row.digest)


def extend_histories(session: Session, leaf_hashes: Mapping[str, bytearray]) -> None:
    """Adds leaves, by token: their hashes joined, in the order of the log."""
    for token, joined in leaf_hashes.items():
        history = history_of(session, token)
        for leaf_hash in _hashes(joined):
            history = history.followed_by(leaf_hash)
        session.merge(LedgerSubjectRow(token=token, entries=history.entries, digest=history.digest))


def load_prefix(session: Session) -> VerifiedPrefix | None:
    """What must be read again; None in a database that always counted, or has caught up."""
    row = session.execute(select(VerifiedPrefixRow)).scalar_one_or_none()
    return None if row is None else VerifiedPrefix(row.size, row.last)


def forget_prefix(session: Session) -> None:
    """It was read again: from now on the position says more."""
    session.execute(delete(VerifiedPrefixRow).where(VerifiedPrefixRow.id == POSITION_ID))


def _hashes(joined: bytearray) -> Iterator[bytes]:
    return (bytes(joined[start : start + HASH_BYTES]) for start in range(0, len(joined), HASH_BYTES))
