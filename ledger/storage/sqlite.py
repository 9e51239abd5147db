"""SQLite storage: own file, one writing connection, WAL, `synchronous=FULL`, STRICT tables; readers are
`mode=ro`. The index, for keys and searches, is a second file that follows (ledger.storage.sqlite_index).

A lock file keeps a second writing process out at once (a WAL corruption with several writers is fixed only in
SQLite 3.51.3); the compare-and-swap on the head is the fence that counts.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from ledger.durable_files import make_folder
from ledger.errors import HeadConflict, StorageFailed
from ledger.storage.indexing import Indexing
from ledger.storage.interface import Batch, Head
from ledger.storage.sqlite_checkpoints import WalCheckpoints
from ledger.storage.sqlite_connection import connect_writer, storage_errors
from ledger.storage.sqlite_index import indexed_keys
from ledger.storage.sqlite_index_writer import SqliteIndex
from ledger.storage.sqlite_reader import SqliteReader, node_place

LOCK_SUFFIX = ".lock"
"""Appended to the database's name; locked while a writer has it open."""


class SqliteStorage(SqliteReader):
    """Implements LogStorage. Create with `SqliteStorage.open`."""

    @classmethod
    def open(cls, path: Path) -> SqliteStorage:
        """Opens or creates the database for writing; raises StorageFailed, also when another process has
        it.
        """
        return cls(path)

    def __init__(self, path: Path) -> None:
        self._busy = threading.Lock()
        with ExitStack() as opened:
            opened.callback(os.close, _lock(path))
            self._writer: sqlite3.Connection | None = connect_writer(path)
            opened.callback(self._abandon)
            self._checkpoints = WalCheckpoints(path)
            opened.callback(self._checkpoints.close)
            self._checkpoints.opened(self._writer)
            self._indexing = Indexing(SqliteIndex(path))
            opened.callback(self._indexing.close)
            super().__init__(path)
            self._opened = opened.pop_all()

    def find_keys(self, keys: Sequence[str]) -> Mapping[str, int]:
        """As LogReader, without a look at the log's rows: what is not indexed yet is in memory."""
        return self._indexing.find(keys, self.head().size, self._look_up)

    def append(self, expected: Head, batch: Batch) -> None:
        """As LogStorage."""
        self._indexing.wait_for_room(expected.size)
        with self._busy:
            self._append(expected, batch)
        self._indexing.appended(expected.size, batch.records)

    def _append(self, expected: Head, batch: Batch) -> None:
        try:
            writer = self._connected()
            with storage_errors():
                writer.execute("BEGIN IMMEDIATE")
                _swap_head(writer, expected, batch.head)
                _insert(writer, expected.size, batch)
                writer.execute("COMMIT")
        except BaseException:
            self._abandon()
            raise
        self._checkpoints.committed(writer, len(batch.records))

    def put_checkpoint(self, size: int, note: bytes) -> None:
        """As LogStorage. NORMAL sync: it may be lost in a power cut, and is then older than it could be."""
        with self._busy:
            try:
                with storage_errors():
                    self._put_checkpoint(self._connected(), size, note)
            except BaseException:
                self._abandon()  # also because nobody knows how it synchronises now
                raise

    def _put_checkpoint(self, writer: sqlite3.Connection, size: int, note: bytes) -> None:
        writer.execute("PRAGMA synchronous = NORMAL")
        changed = writer.execute(
            "INSERT INTO checkpoint (id, size, note) VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET size = excluded.size, note = excluded.note WHERE excluded.size >= checkpoint.size",
            (size, note),
        ).rowcount
        writer.execute("PRAGMA synchronous = FULL")
        self._checkpoints.committed(writer, changed)

    def close(self) -> None:
        """As LogReader."""
        super().close()
        self._opened.close()

    def _look_up(self, keys: Sequence[str]) -> Mapping[str, int]:
        with self._reading() as connection:
            return indexed_keys(connection, keys)

    def _connected(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = connect_writer(self.path)
        return self._writer

    def _abandon(self) -> None:
        """After a failure the connection's state is not trusted any more: the next call begins from the file.

        Rolled back first: closing alone keeps the transaction, and with it the lock, while a cursor is still known.
        """
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(sqlite3.Error):
                writer.execute("ROLLBACK")
            with suppress(sqlite3.Error):
                writer.close()


def _swap_head(writer: sqlite3.Connection, expected: Head, head: Head) -> None:
    changed = writer.execute(
        "UPDATE head SET size = ?, last = ? WHERE id = 1 AND size = ? AND last = ?",
        (head.size, head.last, expected.size, expected.last),
    ).rowcount
    if changed != 1:
        raise HeadConflict("the head is not where this sequencer left it")


def _insert(writer: sqlite3.Connection, start: int, batch: Batch) -> None:
    numbered = enumerate(batch.records, start)
    rows = [(seq, item.leaf, item.leaf_hash, item.key, item.binding) for seq, item in numbered]
    writer.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", rows)
    nodes = [(node_place(node.id), *node.id, node.hash) for node in batch.nodes]
    writer.executemany("INSERT INTO node VALUES (?, ?, ?, ?)", nodes)


def _lock(path: Path) -> int:
    try:
        make_folder(path.parent)
        lock = os.open(f"{path}{LOCK_SUFFIX}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageFailed(f"cannot open {path}{LOCK_SUFFIX}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StorageFailed(f"another process has {path} open for writing") from error
    return lock
