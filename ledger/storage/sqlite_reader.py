"""The reading half of the SQLite storage, over `mode=ro` connections."""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import NotFound
from ledger.storage.interface import Head
from ledger.storage.searchable import SearchFilters
from ledger.storage.sqlite_connection import connect_reader, storage_errors
from ledger.storage.sqlite_search import search
from ledger.tree import NodeId

KEYS_PER_QUERY = 500
"""Bound parameters in one IN list: below SQLite's smallest default limit (999)."""


class SqliteReader:
    """Reads a ledger database. Connections are opened when needed and reused; each is used by one thread
    at a time.
    """

    def __init__(self, path: Path, *, offline: bool = False) -> None:
        """`offline`: as `connect_reader`; not for a running ledger."""
        self.path = path
        self._offline = offline
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._idle.put(connect_reader(path, offline=offline))

    def head(self) -> Head:
        """As LogReader."""
        with self._reading() as connection:
            return Head(*connection.execute("SELECT size, last FROM head WHERE id = 1").fetchone())

    def leaves(self, start: int, end: int) -> list[bytes]:
        """As LogReader."""
        with self._reading() as connection:
            rows = connection.execute("SELECT leaf FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq", (start, end))
            return [row[0] for row in rows]

    def nodes(self, ids: Sequence[NodeId]) -> Mapping[NodeId, bytes]:
        """As LogReader."""
        with self._reading() as connection:
            return {node: _read_node(connection, node) for node in ids}

    def find_keys(self, keys: Sequence[str]) -> Mapping[str, int]:
        """As LogReader."""
        with self._reading() as connection:
            return look_up_keys(connection, keys)

    def search(self, filters: SearchFilters, after_seq: int | None, limit: int) -> list[bytes]:
        """As LogReader."""
        with self._reading() as connection:
            return search(connection, filters, after_seq, limit)

    def checkpoint(self) -> bytes | None:
        """As LogReader."""
        with self._reading() as connection:
            row = connection.execute("SELECT note FROM checkpoint WHERE id = 1").fetchone()
            return None if row is None else row[0]

    def close(self) -> None:
        """As LogReader."""
        while not self._idle.empty():
            self._idle.get().close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = connect_reader(self.path, offline=self._offline)
        try:
            with storage_errors():
                yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)


def look_up_keys(connection: sqlite3.Connection, keys: Sequence[str]) -> Mapping[str, int]:
    """The seq of each key that is stored."""
    found: dict[str, int] = {}
    for start in range(0, len(keys), KEYS_PER_QUERY):
        some = keys[start : start + KEYS_PER_QUERY]
        marks = ",".join("?" * len(some))
        found.update(connection.execute(f"SELECT key, seq FROM idempotency WHERE key IN ({marks})", some))  # noqa: S608 - only marks
    return found


def _read_node(connection: sqlite3.Connection, node: NodeId) -> bytes:
    if node.level == 0:
        row = connection.execute("SELECT leaf_hash FROM entry WHERE seq = ?", (node.position,)).fetchone()
    else:
        row = connection.execute("SELECT hash FROM node WHERE level = ? AND position = ?", node).fetchone()
    if row is None:
        raise NotFound(f"node {node.position} of level {node.level} is not stored")
    return bytes(row[0])
