"""The reading half of the SQLite storage, over `mode=ro` connections.

Where there is no index (a copy of the log alone), or none of this log, everything is found by reading: right, and slow.
"""

from __future__ import annotations

import queue
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

from ledger.errors import LedgerCorrupt, NotFound
from ledger.search import leaf_matches
from ledger.storage.interface import Head
from ledger.storage.searchable import SearchFilters
from ledger.storage.sqlite_connection import connect_reader, storage_errors
from ledger.storage.sqlite_index import attach, indexed_keys, indexed_size
from ledger.storage.sqlite_search import search
from ledger.tree import NodeId

Stored = TypeVar("Stored", int, str, bytes)
_LEVEL_BITS = 6
"""For a node's level, behind the number of leaves that complete it."""


class SqliteReader:
    """Reads a ledger database. Connections are opened when needed and reused; each is used by one thread
    at a time.
    """

    def __init__(self, path: Path, *, offline: bool = False) -> None:
        """`offline`: as `connect_reader`; not for a running ledger."""
        self.path = path
        self._offline = offline
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._idle.put(self._connect())

    def head(self) -> Head:
        """As LogReader."""
        with self._reading() as connection:
            size, last = connection.execute("SELECT size, last FROM head WHERE id = 1").fetchone()
            return Head(stored(size, int), stored(last, str))

    def leaves(self, start: int, end: int) -> list[bytes]:
        """As LogReader."""
        with self._reading() as connection:
            rows = connection.execute("SELECT leaf FROM entry WHERE seq >= ? AND seq < ? ORDER BY seq", (start, end))
            return [stored(row[0], bytes) for row in rows]

    def nodes(self, ids: Sequence[NodeId]) -> Mapping[NodeId, bytes]:
        """As LogReader."""
        with self._reading() as connection:
            return {node: _read_node(connection, node) for node in ids}

    def find_keys(self, keys: Sequence[str]) -> Mapping[str, int]:
        """As LogReader."""
        with self._reading() as connection:
            size = indexed_size(connection)
            found = dict(indexed_keys(connection, keys)) if size else {}
            rows = connection.execute("SELECT key, seq FROM entry WHERE seq >= ? AND key IS NOT NULL", (size,))
            wanted = frozenset(keys)
            return found | {key: seq for key, seq in rows if key in wanted}

    def search(self, filters: SearchFilters, after_seq: int | None, limit: int) -> list[bytes]:
        """As LogReader: first the entries that are indexed, then the newest, which are read one by one."""
        start = 0 if after_seq is None else after_seq + 1
        with self._reading() as connection:
            size = indexed_size(connection)
            found = search(connection, filters, start, size, limit) if start < size else []
            newest = connection.execute("SELECT leaf FROM entry WHERE seq >= ? ORDER BY seq", (max(start, size),))
            with closing(newest) as rows:  # or whoever uses the connection next would see the log as it is now
                leaves = (stored(row[0], bytes) for row in rows)
                matching = (leaf for leaf in leaves if leaf_matches(leaf, filters))
                return [stored(leaf, bytes) for leaf in found] + list(islice(matching, limit - len(found)))

    def checkpoint(self) -> bytes | None:
        """As LogReader."""
        with self._reading() as connection:
            row = connection.execute("SELECT note FROM checkpoint WHERE id = 1").fetchone()
            return None if row is None else stored(row[0], bytes)

    def close(self) -> None:
        """As LogReader."""
        while not self._idle.empty():
            self._idle.get().close()

    def _connect(self) -> sqlite3.Connection:
        connection = connect_reader(self.path, offline=self._offline)
        try:
            with storage_errors():
                attach(connection, self.path, offline=self._offline)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            with storage_errors():
                yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.put(connection)


def stored(value: object, kind: type[Stored]) -> Stored:
    """A value of its column's type. SQLite looks at that when it writes, so a file that somebody crafted may hold any
    other; raises LedgerCorrupt then.
    """
    if not isinstance(value, kind):
        raise LedgerCorrupt("a stored value is not of its column's type")
    return value


def node_place(node: NodeId) -> int:
    """Where a node stands: all are in the order in which they become complete."""
    return ((node.position + 1) << node.level << _LEVEL_BITS) + node.level


def _read_node(connection: sqlite3.Connection, node: NodeId) -> bytes:
    if node.level == 0:
        row = connection.execute("SELECT leaf_hash FROM entry WHERE seq = ?", (node.position,)).fetchone()
    else:
        row = connection.execute("SELECT hash FROM node WHERE place = ?", (node_place(node),)).fetchone()
    if row is None:
        raise NotFound(f"node {node.position} of level {node.level} is not stored")
    return stored(row[0], bytes)
