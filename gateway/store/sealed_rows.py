"""Between rows and values: seals what is written, opens what is read, with the data keys of one transaction.

The key database comes with the session (`sealed_database`). A data key is looked up once per transaction.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy.orm import Session

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store.models import DestroyedKeyRow, Sealed
from gateway.store.sealing import DataKey
from gateway.store.subject_keys import SubjectKeys

SUBJECT_KEYS = "subject_keys"
"""Name of the key database in a session's `info`."""
_CACHE = "data_keys"

_GONE = "The row's key was destroyed by an erasure: this is a copy from before it; run `gateway erase` once more."


def subject_keys(session: Session) -> SubjectKeys:
    """The key database of this session's store."""
    return cast(SubjectKeys, session.info[SUBJECT_KEYS])


def data_key(session: Session, company: str, scope: str) -> DataKey:
    """The key to seal rows about this company towards this scope with, made when there is none.

    An erasure notes the keys that it ends in the same transaction in which it deletes rows, and destroys them after it.
    Whoever comes in between finishes that first: nothing is sealed under a key that is about to go.
    """
    keys = subject_keys(session)
    key = keys.obtain(company, scope)
    while session.get(DestroyedKeyRow, key.id) is not None:
        keys.destroy([key.id])
        key = keys.obtain(company, scope)
    return key


def readable(session: Session, row: Sealed) -> bool:
    """Whether the row's key still exists; not so in a copy of the store from before an erasure."""
    return _key(session, row) is not None


def opened(session: Session, row: Sealed, column: str) -> bytes:
    """The value in clear; raises STORE_INTEGRITY when the key is gone or the value was changed or moved."""
    return key_of(session, row).open(row.place(column), getattr(row, column))


def key_of(session: Session, row: Sealed) -> DataKey:
    """The key that a row is sealed with; raises STORE_INTEGRITY when it is gone."""
    key = _key(session, row)
    if key is None:
        raise ConsentgateError(ErrorCode.STORE_INTEGRITY, field=row.__tablename__, hint=_GONE)
    return key


def seal(key: DataKey, row: Sealed, **values: bytes) -> None:
    """Puts sealed values into columns of a row that knows its name already."""
    for column, value in values.items():
        setattr(row, column, key.seal(row.place(column), value))


def _key(session: Session, row: Sealed) -> DataKey | None:
    cache = cast(dict[str, DataKey | None], session.info.setdefault(_CACHE, {}))
    if row.key_id not in cache:
        cache[row.key_id] = subject_keys(session).get(row.key_id)
    return cache[row.key_id]
