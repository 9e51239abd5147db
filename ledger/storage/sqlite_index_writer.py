"""Extends the index of a SQLite log (ledger.storage.sqlite_index).

All of it is derived from the log's rows by SQLite itself, so the interpreter is free meanwhile. A round is one
transaction. It is not synchronised: after a power cut the index is an older one, and is extended again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import structlog

from ledger.storage.sqlite_connection import BUSY_SECONDS, read_only_uri, storage_errors
from ledger.storage.sqlite_index import (
    APPLICATION_ID,
    KEY_BLOCK_BITS,
    SCHEMA,
    VERSION,
    index_of,
    indexed_size,
    is_made,
    is_of_log,
)

CACHE_KIB = 32 * 1024
"""Pages that are kept: those of the newest blocks, of keys and of tokens, and where each other value is added."""

LOG_PAGES = 16_384
"""Pages (64 MB) of write-ahead log before they are copied: rounds touch the same pages again, and each copy is
synchronised, on the disk for whose time appends wait.
"""

_COLUMNS = ("subject", "institution", "purpose", "verdict", "reason")
_READ = f"""INSERT INTO fresh SELECT seq, leaf ->> '$.kind', leaf ->> '$.ts',
        {", ".join(f"leaf ->> '$.body.{column}'" for column in _COLUMNS)}, leaf -> '$.body.categories', leaf_hash, key
    FROM (SELECT seq, CAST(leaf AS TEXT) AS leaf, leaf_hash, key FROM log.entry WHERE seq >= ? AND seq < ?)"""  # noqa: S608 - constants
"""The log is read by this one statement: a longer look at it would keep its write-ahead log from beginning anew."""
_WRITE = (
    f"INSERT INTO searchable SELECT seq, kind, ts, {', '.join(_COLUMNS)} FROM fresh ORDER BY seq",  # noqa: S608 - constants
    "INSERT INTO category SELECT DISTINCT json_each.value, seq FROM fresh, json_each(fresh.categories)"
    " WHERE categories IS NOT NULL ORDER BY 1, 2",
    f"INSERT OR IGNORE INTO idempotency SELECT seq >> {KEY_BLOCK_BITS} AS block, key, seq FROM fresh"  # noqa: S608
    " WHERE key IS NOT NULL ORDER BY block, key, seq",
)
_GROW = """UPDATE indexed SET size = size + (SELECT count(*) FROM fresh),
    last = (SELECT lower(hex(leaf_hash)) FROM fresh ORDER BY seq DESC LIMIT 1) WHERE size = ?"""
"""Changes nothing where somebody else, in spite of all locks, has extended the index meanwhile."""

_log = structlog.get_logger("ledger.storage")


class SqliteIndex:
    """Implements Index (ledger.storage.indexing)."""

    def __init__(self, log: Path) -> None:
        """Opens, creates or replaces the index of this log. Only whoever holds the log's lock may do so."""
        self._path = index_of(log)
        with storage_errors():
            self._connection = _connect(self._path)
            try:
                self._attach(log)
                if not is_of_log(self._connection, index="main", log="log"):
                    _log.warning("index is of another version or of another log, or of a later state of it: made anew")
                    self._replace(log)
            except BaseException:
                self._connection.close()
                raise

    def size(self) -> int:
        """As Index."""
        with storage_errors():
            return indexed_size(self._connection)

    def all_keys(self) -> Iterator[str]:
        """As Index."""
        with storage_errors():
            for (key,) in self._connection.execute("SELECT key FROM idempotency"):
                yield key

    def extend(self, limit: int) -> int:
        """As Index."""
        size = self.size()
        run = self._connection.execute
        with storage_errors():
            run("DELETE FROM fresh")
            if run(_READ, (size, size + limit)).rowcount < 1:
                return size
            run("BEGIN IMMEDIATE")
            try:
                if run(_GROW, (size,)).rowcount == 1:
                    for statement in _WRITE:
                        run(statement)
                run("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise
            run("DELETE FROM fresh")
        return self.size()

    def close(self) -> None:
        """As Index."""
        self._connection.close()

    def _attach(self, log: Path) -> None:
        self._connection.execute("ATTACH ? AS log", (read_only_uri(log),))
        self._connection.execute(
            "CREATE TEMP TABLE fresh (seq INTEGER PRIMARY KEY, kind TEXT, ts TEXT, subject TEXT, institution TEXT,"
            " purpose TEXT, verdict TEXT, reason TEXT, categories TEXT, leaf_hash BLOB, key TEXT)"
        )

    def _replace(self, log: Path) -> None:
        self._connection.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._connection = _connect(self._path)
        self._attach(log)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True)
    try:
        is_made(connection, "main")  # asked before the file is touched: what is something else is left as it was
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # never corrupt; what a power cut takes is indexed again
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA trusted_schema = OFF")
        _make(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if not is_made(connection, "main"):
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        for statement in SCHEMA:
            connection.execute(statement)
    connection.execute("COMMIT")
