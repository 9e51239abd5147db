"""PostgreSQL storage: one sequencer session, COPY for batches, synchronous commits; readers have their own sessions.

The session holds an advisory lock, which keeps a second sequencer out at once; the fence that counts is the
compare-and-swap on the head row: its row lock serialises two transactions that start from one head, the second then
finds another head (READ COMMITTED reads the row again) and stores nothing. So the log cannot fork even where the lock
is lost: behind a pooler that shares sessions, or after a failover.

`append` returns when the server says that the commit is on disk (`synchronous_commit = on`), and on a synchronous
standby where the server has one. Against accidents: triggers and missing privileges (postgres_migrations); give the
process a role that does not own the tables (docs/operations.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.errors import HeadConflict
from ledger.storage.interface import Batch, Head, key_binding
from ledger.storage.postgres_connection import Session, connect_writer, storage_errors
from ledger.storage.postgres_reader import PostgresReader

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Also where the server's default is another: under a stricter level a lost race would be an error like any other."""


class PostgresStorage(PostgresReader):
    """Implements LogStorage. Create with `PostgresStorage.open`."""

    @classmethod
    def open(cls, address: str) -> PostgresStorage:
        """Opens the database for writing and migrates it; raises StorageFailed, also when another process has it."""
        return cls(address)

    def __init__(self, address: str) -> None:
        self._writer: Session | None = connect_writer(address)
        try:
            super().__init__(address)
        except BaseException:
            self._abandon()
            raise

    def append(self, expected: Head, batch: Batch) -> None:
        """As LogStorage."""
        try:
            writer = self._connected()
            with storage_errors():
                writer.execute(BEGIN)
                _swap_head(writer, expected, batch.head)
                _copy_batch(writer, expected.size, batch)
                writer.execute("COMMIT")
        except BaseException:
            self._abandon()
            raise

    def put_checkpoint(self, size: int, note: bytes) -> None:
        """As LogStorage. Not synchronous: it may be lost in a crash, and is then older than it could be."""
        try:
            writer = self._connected()
            with storage_errors():
                writer.execute(BEGIN)
                writer.execute("SET LOCAL synchronous_commit = off")
                writer.execute(
                    "INSERT INTO checkpoint (id, size, note) VALUES (1, %s, %s) ON CONFLICT (id) DO UPDATE"
                    " SET size = excluded.size, note = excluded.note WHERE excluded.size >= checkpoint.size",
                    [size, note],
                )
                writer.execute("COMMIT")
        except BaseException:
            self._abandon()
            raise

    def close(self) -> None:
        """As LogReader."""
        super().close()
        self._abandon()

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


def _swap_head(writer: Session, expected: Head, head: Head) -> None:
    changed = writer.execute(
        "UPDATE head SET size = %s, last = %s WHERE id = 1 AND size = %s AND last = %s",
        [head.size, head.last, expected.size, expected.last],
    ).rowcount
    if changed != 1:
        raise HeadConflict("the head is not where this sequencer left it")


def _copy_batch(writer: Session, start: int, batch: Batch) -> None:
    numbered = list(enumerate(batch.records, start=start))
    bytea = ["int8", "bytea", "bytea"]
    _copy(writer, "entry", bytea, [(seq, item.leaf, item.leaf_hash) for seq, item in numbered])
    _copy(writer, "node", ["int4", "int8", "bytea"], [(*node.id, node.hash) for node in batch.nodes])
    _copy(
        writer,
        "idempotency",
        ["text", "int8", "bytea"],
        [(item.key, seq, key_binding(item.leaf_hash, item.key)) for seq, item in numbered if item.key is not None],
    )
    rows = [(seq, item.searchable) for seq, item in numbered]
    _copy(
        writer,
        "searchable",
        ["int8", *["text"] * 7],
        [(seq, it.kind, it.ts, it.subject, it.institution, it.purpose, it.verdict, it.reason) for seq, it in rows],
    )
    _copy(writer, "category", ["text", "int8"], [(category, seq) for seq, it in rows for category in it.categories])


def _copy(writer: Session, table: str, types: Sequence[str], rows: Sequence[Iterable[object]]) -> None:
    if not rows:
        return
    with writer.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(tuple(row))
