"""PostgreSQL storage: one sequencer session, one statement per batch, synchronous commits; readers have own sessions.

The session holds an advisory lock, which keeps a second sequencer out at once; the fence that counts is the
compare-and-swap on the head row: its row lock serialises two transactions that start from one head, the second then
finds another head (READ COMMITTED reads the row again) and stores nothing. So the log cannot fork even where the lock
is lost: behind a pooler that shares sessions, or after a failover.

The index, for keys and searches, follows in a session of its own (ledger.storage.postgres_index).

A batch is one statement: the swap of the head, and inserts that take their rows from arrays *and from the swap*, so
that a swap that finds another head inserts nothing. One round trip to the server instead of fourteen (BEGIN, UPDATE,
five times COPY and its end, COMMIT): measured, COPY itself is a little faster, and waiting for each other is not.

`append` returns when the server says that the commit is on disk (`synchronous_commit = on`), and on a synchronous
standby where the server has one. Against accidents: triggers and missing privileges (postgres_migrations); give the
process a role that does not own the tables (docs/operations.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from ledger.errors import HeadConflict
from ledger.storage.indexing import Indexing
from ledger.storage.interface import Batch, Head
from ledger.storage.postgres_arrays import bigints, byteas, integers, texts
from ledger.storage.postgres_connection import Session, connect_writer, storage_errors
from ledger.storage.postgres_index import PostgresIndex
from ledger.storage.postgres_reader import PostgresReader, indexed_keys

APPEND = """WITH swapped AS (
    UPDATE head SET size = %(size)s, last = %(last)s
        WHERE id = 1 AND size = %(expected_size)s AND last = %(expected_last)s RETURNING 1
), entries AS (
    INSERT INTO entry SELECT added.* FROM swapped,
        unnest(%(seqs)s, %(leaves)s, %(leaf_hashes)s, %(keys)s, %(bindings)s) AS added
), nodes AS (
    INSERT INTO node SELECT added.* FROM swapped,
        unnest(%(levels)s, %(positions)s, %(node_hashes)s) AS added
) SELECT count(*) FROM swapped"""
"""Commits by itself: the session is in autocommit mode, READ COMMITTED."""
PUT_CHECKPOINT = """WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO checkpoint (id, size, note) SELECT 1, %s, %s FROM relaxed
    ON CONFLICT (id) DO UPDATE SET size = excluded.size, note = excluded.note WHERE excluded.size >= checkpoint.size"""
"""Does not wait for the disk: the setting holds for this one transaction."""


class PostgresStorage(PostgresReader):
    """Implements LogStorage. Create with `PostgresStorage.open`."""

    @classmethod
    def open(cls, address: str) -> PostgresStorage:
        """Opens the database for writing and migrates it; raises StorageFailed, also when another process has it."""
        return cls(address)

    def __init__(self, address: str) -> None:
        with ExitStack() as opened:
            self._writer: Session | None = connect_writer(address)
            opened.callback(self._abandon)
            self._indexing = Indexing(PostgresIndex(address))
            opened.callback(self._indexing.close)
            super().__init__(address)
            self._opened = opened.pop_all()

    def find_keys(self, keys: Sequence[str]) -> Mapping[str, int]:
        """As LogReader, without a look at the log's rows: what is not indexed yet is in memory."""
        return self._indexing.find(keys, self.head().size, self._look_up)

    def append(self, expected: Head, batch: Batch) -> None:
        """As LogStorage."""
        self._indexing.wait_for_room(expected.size)
        try:
            writer = self._connected()
            with storage_errors():
                swapped = writer.execute(APPEND, _parameters(expected, batch), binary=True).fetchone()
            if swapped != (1,):
                raise HeadConflict("the head is not where this sequencer left it")
        except BaseException:
            self._abandon()
            self._indexing.doubt()
            raise
        self._indexing.appended(expected.size, batch.records)

    def put_checkpoint(self, size: int, note: bytes) -> None:
        """As LogStorage. Not synchronous: it may be lost in a crash, and is then older than it could be."""
        try:
            writer = self._connected()
            with storage_errors():
                writer.execute(PUT_CHECKPOINT, [size, note])
        except BaseException:
            self._abandon()
            self._indexing.doubt()
            raise

    def close(self) -> None:
        """As LogReader."""
        super().close()
        self._opened.close()

    def _look_up(self, keys: Sequence[str]) -> Mapping[str, int]:
        with self._reading() as cursor:
            return indexed_keys(cursor, keys)

    def _connected(self) -> Session:
        if self._writer is None:
            self._writer = connect_writer(self._address)
        return self._writer

    def _abandon(self) -> None:
        """After a failure the session's state is not trusted any more: closing it rolls back what it had begun, and
        the next call begins with a new one.
        """
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _parameters(expected: Head, batch: Batch) -> dict[str, object]:
    """The batch by columns."""
    records, nodes = batch.records, batch.nodes
    return {
        "size": batch.head.size,
        "last": batch.head.last,
        "expected_size": expected.size,
        "expected_last": expected.last,
        "seqs": bigints(range(expected.size, expected.size + len(records))),
        "leaves": byteas([record.leaf for record in records]),
        "leaf_hashes": byteas([record.leaf_hash for record in records]),
        "keys": texts([record.key for record in records]),
        "bindings": byteas([record.binding for record in records]),
        "levels": integers([node.id.level for node in nodes]),
        "positions": bigints([node.id.position for node in nodes]),
        "node_hashes": byteas([node.hash for node in nodes]),
    }
