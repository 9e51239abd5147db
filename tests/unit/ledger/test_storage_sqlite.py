"""SQLite in particular: every statement of a commit failed once, the guards against accidents, opening."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ledger.chain import Chain
from ledger.errors import NotFound, StorageFailed
from ledger.fsck import fsck
from ledger.storage.interface import Head
from ledger.storage.searchable import SearchFilters
from ledger.storage.sqlite import SqliteStorage
from ledger.storage.sqlite_audit import SqliteAudit
from ledger.storage.sqlite_reader import SqliteReader
from tests.support.log_batches import Wanted, batch_after, head_of, opened
from tests.support.older_logs import store_version
from tests.support.synced_disk import SyncedDisk
from tests.support.witnessed_log import ORIGIN

STATEMENTS = 5
"""BEGIN, head, entries, nodes, COMMIT."""


class FailingConnection:
    """A connection whose n-th statement fails: before it ran (lost) or after (kept)."""

    def __init__(self, connection: sqlite3.Connection, failing: int, kept: bool) -> None:
        self._connection = connection
        self.left = failing
        self._kept = kept

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        return self._run(self._connection.execute, arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        return self._run(self._connection.executemany, arguments)

    def close(self) -> None:
        self._connection.close()

    def _run(self, method: Any, arguments: Sequence[Any]) -> sqlite3.Cursor:
        self.left -= 1
        if self.left == 0 and not self._kept:
            raise sqlite3.OperationalError("disk I/O error")
        cursor: sqlite3.Cursor = method(*arguments)
        if self.left == 0:
            raise sqlite3.OperationalError("disk I/O error")
        return cursor


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("failing", range(1, STATEMENTS + 1))
def test_whichever_statement_fails_the_batch_is_there_wholly_or_not_at_all(
    tmp_path: Path, failing: int, kept: bool
) -> None:
    storage = SqliteStorage.open(tmp_path / "ledger.db")
    first, chain = batch_after(Chain(ORIGIN), opened(3))
    storage.append(Head(), first)
    batch, grown = batch_after(chain, opened(4, 3))
    connection = storage._connected()
    storage._writer = FailingConnection(connection, failing, kept)  # type: ignore[assignment]
    with pytest.raises(StorageFailed):
        storage.append(head_of(chain), batch)
    committed = failing == STATEMENTS and kept
    assert storage.head() == head_of(grown if committed else chain)
    assert len(storage.leaves(0, 10)) == (7 if committed else 3)
    assert len(storage.find_keys([f"key {number}" for number in range(7)])) == (7 if committed else 3)
    if not committed:
        # The connection was replaced: the same batch can be stored now.
        storage.append(head_of(chain), batch)
    assert storage.head() == head_of(grown)
    storage.close()


def test_there_are_as_many_statements_as_the_fault_test_believes(tmp_path: Path) -> None:
    storage = SqliteStorage.open(tmp_path / "ledger.db")
    counting = FailingConnection(storage._connected(), 1000, kept=False)
    storage._writer = counting  # type: ignore[assignment]
    batch, _ = batch_after(Chain(ORIGIN), opened(2))
    storage.append(Head(), batch)
    assert counting.left == 1000 - STATEMENTS
    storage.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entry",
        "UPDATE entry SET leaf = x'00'",
        "DELETE FROM node",
        "UPDATE entry SET key = 'x'",
        "DELETE FROM head",
        "UPDATE head SET size = size - 1",
    ],
)
def test_an_accident_cannot_change_the_log(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "ledger.db"
    storage = SqliteStorage.open(path)
    batch, _ = batch_after(Chain(ORIGIN), opened(4))
    storage.append(Head(), batch)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()
    storage.close()


def test_a_commit_survives_a_power_cut_because_it_is_synchronised(tmp_path: Path) -> None:
    storage = SqliteStorage.open(tmp_path / "ledger.db")
    storage.put_checkpoint(1, b"note")
    assert storage._connected().execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert storage._connected().execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    storage.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    SqliteStorage.open(path).close()
    reader = SqliteReader(path)
    with reader._reading() as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("INSERT INTO category VALUES ('x', 1)")
    reader.close()


def test_a_reader_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        SqliteReader(tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", [0, 1])
def test_a_database_of_somebody_else_is_not_touched(tmp_path: Path, version: int) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE important (x)")
    other.execute(f"PRAGMA user_version = {version}")
    other.commit()
    before = path.read_bytes()
    with pytest.raises(StorageFailed, match="not a ledger database"):
        SqliteStorage.open(path)
    with pytest.raises(StorageFailed, match="not a ledger database"):
        SqliteReader(path)
    other.close()
    assert path.read_bytes() == before


def test_the_folders_made_for_a_log_survive_a_power_cut_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What SQLite synchronises itself is looked at by the power cuts (tests/support/cut_log.py)."""
    disk = SyncedDisk(tmp_path, monkeypatch)
    SqliteStorage.open(tmp_path / "var" / "log" / "ledger.db").close()
    assert [name for name in disk.lost() if not Path(name).name.startswith("ledger.db")] == []


def test_a_database_of_the_first_version_is_brought_to_the_newest(tmp_path: Path) -> None:
    """Nothing that is stored changes; tables, indexes and triggers are those of a new database, and are used."""
    path, subject = tmp_path / "ledger.db", "a" * 32
    batch, chain = batch_after(Chain(ORIGIN), [*opened(3), Wanted("erasure.performed", {"subject": subject}, "key 3")])
    store_version(1, path, batch)
    with pytest.raises(StorageFailed, match="schema version 4"):
        SqliteReader(path)
    storage = SqliteStorage.open(path)
    assert storage.head() == head_of(chain)
    assert storage.leaves(0, 10) == [record.leaf for record in batch.records]
    assert storage.find_keys(["key 0", "key 2"]) == {"key 0": 0, "key 2": 2}
    assert storage.search(SearchFilters(subject=subject), None, 10) == [batch.records[3].leaf]
    storage.close()
    with SqliteAudit(path) as audit:
        assert fsck(audit).findings == ()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    SqliteStorage.open(path).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StorageFailed):
        SqliteStorage.open(path)


def test_a_folder_that_cannot_be_made_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFailed, match="cannot open"):
        SqliteStorage.open(tmp_path / "file" / "ledger.db")


def test_a_database_that_cannot_have_a_write_ahead_log_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite answers with the mode that it kept, and calls it no error."""

    class Unchanging(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            return super().execute(statement.replace("journal_mode = WAL", "journal_mode"), *values)

    true_connect = sqlite3.connect
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", lambda *a, **k: true_connect(*a, factory=Unchanging, **k))
        with pytest.raises(StorageFailed, match="journal mode stays delete"):
            SqliteStorage.open(tmp_path / "ledger.db")
    SqliteStorage.open(tmp_path / "ledger.db").close()
