"""What one would write first: a hash chain, one row and one commit for each entry.

No tree, no proofs, no search columns, no keys: it does less than the ledger, on purpose. Both are as durable as the
ledger is. SQLite: one connection behind a mutex, WAL, synchronous=FULL. PostgreSQL: every writer has a session and
locks the head row, because a chain needs its predecessor.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

import psycopg
from psycopg.rows import TupleRow

from benchmarks.ledger.workload import ORIGIN, Workload
from ledger.entry import ZERO_HASH, Entry, encode, format_time, leaf_hash, new_nonces

Session = psycopg.Connection[TupleRow]


class NaiveLog(Protocol):
    """A chain that is appended to from any thread."""

    def append(self, kind: str, body: dict[str, object]) -> None:
        """Returns when the entry is durable."""
        ...


class NaiveSqlite:
    """One file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, leaf BLOB, leaf_hash BLOB) STRICT")
        self._lock = threading.Lock()

    def append(self, kind: str, body: dict[str, object]) -> None:
        """As NaiveLog."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            row = self._connection.execute("SELECT seq, leaf_hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
            seq, last = (0, ZERO_HASH) if row is None else (row[0] + 1, row[1].hex())
            leaf = _leaf(seq, last, kind, body)
            self._connection.execute("INSERT INTO entry VALUES (?, ?, ?)", (seq, leaf, leaf_hash(leaf)))
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Releases the file."""
        self._connection.close()


class NaivePostgres:
    """One database; a session for each writer."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._idle: SimpleQueue[Session] = SimpleQueue()
        with psycopg.connect(address) as session:
            session.execute("CREATE TABLE entry (seq bigint PRIMARY KEY, leaf bytea, leaf_hash bytea)")
            session.execute("CREATE TABLE head (size bigint, last text)")
            session.execute("INSERT INTO head VALUES (0, %s)", [ZERO_HASH])

    def append(self, kind: str, body: dict[str, object]) -> None:
        """As NaiveLog."""
        try:
            session = self._idle.get_nowait()
        except Empty:
            session = psycopg.connect(self._address, autocommit=True)
        with session.transaction():
            row = session.execute("SELECT size, last FROM head FOR UPDATE").fetchone()
            assert row is not None
            leaf = _leaf(row[0], row[1], kind, body)
            session.execute("INSERT INTO entry VALUES (%s, %s, %s)", [row[0], leaf, leaf_hash(leaf)])
            session.execute("UPDATE head SET size = %s, last = %s", [row[0] + 1, leaf_hash(leaf).hex()])
        self._idle.put(session)

    def close(self) -> None:
        """Ends all sessions."""
        while not self._idle.empty():
            self._idle.get().close()


def rate(log: NaiveLog, work: Workload, entries: int, writers: int) -> float:
    """Entries per second."""
    wanted = [next(work) for _ in range(entries)]
    with ThreadPoolExecutor(writers) as executor:
        begun = time.perf_counter()
        list(executor.map(lambda item: log.append(item.kind, dict(item.body)), wanted))
        return entries / (time.perf_counter() - begun)


def _leaf(seq: int, last: str, kind: str, body: dict[str, object]) -> bytes:
    return encode(Entry(ORIGIN, seq, last, format_time(datetime.now(UTC)), kind, new_nonces(1)[0], body))
