"""What a copy of the store from before an erasure still gives away, to whoever opens it with today's keys.

SQLite files are copied to a folder of their own first, with what lies beside them: looking at evidence must not change
it. Nothing is assumed of who made the copy: every sealed value behind the token is tried.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from consentgate import traces
from consentgate.database import Database
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store.models import SEALED_COLUMNS, Sealed, SubjectRow
from gateway.store.sealed_rows import SUBJECT_KEYS, opened
from gateway.store.subject_keys import SubjectKeys

_SQLITE = b"SQLite format 3\0"
"""How every such file begins."""
_NOT_A_COPY = "Name a SQLite file, or the address of a restored database."


@dataclass(frozen=True)
class CopyFindings:
    """`readable` is table.column → values that opened, or that hold the company in clear; `sealed` did not open."""

    readable: dict[str, int]
    sealed: int

    @property
    def unreadable(self) -> bool:
        """There was something to read, and nothing of it opened."""
        return self.sealed > 0 and not self.readable


def examine(copy: str, keys: SubjectKeys, token: str, key_ids: Sequence[str], company: str | None) -> CopyFindings:
    """Tries everything in `copy` that stands under the token's keys; `key_ids` are those that the erasure noted."""
    with _opened_copy(copy, keys) as database:
        return database.transact(lambda session: _examine(session, token, key_ids, company))


def _examine(session: Session, token: str, key_ids: Sequence[str], company: str | None) -> CopyFindings:
    readable: dict[str, int] = {} if company is None else traces.places_of(session, company)
    if not inspect(session.connection()).has_table("destroyed_keys"):
        clear = {f"{place} (in clear)": count for place, count in traces.places_of(session, token).items()}
        return CopyFindings({**readable, **clear}, 0)
    pinned = session.execute(select(SubjectRow.key_id).where(SubjectRow.token == token)).scalars()
    wanted, sealed = {*key_ids, *pinned}, 0
    for row, column in _sealed_values(session):
        if row.key_id not in wanted:
            continue
        place = f"{row.__tablename__}.{column}"
        if _opens(session, row, column):
            readable[place] = readable.get(place, 0) + 1
        else:
            sealed += 1
    return CopyFindings(readable, sealed)


def _sealed_values(session: Session) -> Iterator[tuple[Sealed, str]]:
    for model, columns in SEALED_COLUMNS.items():
        for row in cast(Iterator[Sealed], session.execute(select(model)).scalars()):
            yield from ((row, column) for column in columns if getattr(row, column))


def _opens(session: Session, row: Sealed, column: str) -> bool:
    try:
        opened(session, row, column)
    except ConsentgateError as error:
        if error.code is not ErrorCode.STORE_INTEGRITY:
            raise
        return False
    return True


@contextmanager
def _opened_copy(copy: str, keys: SubjectKeys) -> Iterator[Database]:
    with TemporaryDirectory(prefix="consentgate-copy-") as folder:
        database = Database(_address(copy, Path(folder)), "--copy", {SUBJECT_KEYS: keys})
        try:
            yield database
        finally:
            database.close()


def _address(copy: str, folder: Path) -> str:
    if "://" in copy:
        return copy
    source, target = Path(copy), folder / "copy.db"
    if not source.is_file() or not _is_sqlite(source):
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="--copy", hint=_NOT_A_COPY)
    shutil.copyfile(source, target)
    beside = source.with_name(f"{source.name}-wal")
    if beside.exists():
        shutil.copyfile(beside, target.with_name(f"{target.name}-wal"))
    return f"sqlite:///{target}"


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE
