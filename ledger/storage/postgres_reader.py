"""The reading half of the PostgreSQL storage, over read-only sessions.

Sessions are opened when needed and reused; each is used by one thread at a time, so there are as many as threads read
at once (six in a running ledger). When one fails, all idle ones are closed with it: after a restart of the server they
are as dead, and each would fail a request of its own.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice

from psycopg import Cursor
from psycopg.rows import TupleRow

from ledger.entry import format_time
from ledger.errors import NotFound
from ledger.search import leaf_matches
from ledger.storage.interface import Head
from ledger.storage.postgres_arrays import texts
from ledger.storage.postgres_connection import Session, connect_reader, storage_errors
from ledger.storage.searchable import TIME_BLOCK_BITS, SearchFilters
from ledger.tree import NodeId

NEWEST = 2000
"""Entries that are not indexed yet are read so many at a time."""


class PostgresReader:
    """Reads a ledger's database."""

    def __init__(self, address: str) -> None:
        """Raises StorageFailed, also for a foreign database, and NotFound for one without a ledger."""
        self._address = address
        self._idle: queue.SimpleQueue[Session] = queue.SimpleQueue()
        self._idle.put(connect_reader(address))

    def head(self) -> Head:
        """As LogReader."""
        with self._reading() as cursor:
            row = cursor.execute("SELECT size, last FROM head WHERE id = 1").fetchone()
            if row is None:
                raise NotFound("the head is not stored")
            return Head(*row)

    def leaves(self, start: int, end: int) -> list[bytes]:
        """As LogReader."""
        with self._reading() as cursor:
            query = "SELECT leaf FROM entry WHERE seq >= %s AND seq < %s ORDER BY seq"
            return [row[0] for row in cursor.execute(query, [start, end])]

    def nodes(self, ids: Sequence[NodeId]) -> Mapping[NodeId, bytes]:
        """As LogReader."""
        found: dict[NodeId, bytes] = {}
        with self._reading() as cursor:
            if positions := [node.position for node in ids if node.level == 0]:
                rows = cursor.execute("SELECT seq, leaf_hash FROM entry WHERE seq = ANY (%s)", [positions])
                found.update((NodeId(0, seq), digest) for seq, digest in rows)
            if upper := [node for node in ids if node.level > 0]:
                rows = cursor.execute(
                    "SELECT level, position, hash FROM unnest(%s::int[], %s::bigint[]) AS wanted (level, position)"
                    " JOIN node USING (level, position)",
                    [[node.level for node in upper], [node.position for node in upper]],
                )
                found.update((NodeId(level, position), digest) for level, position, digest in rows)
        for node in ids:
            if node not in found:
                raise NotFound(f"node {node.position} of level {node.level} is not stored")
        return found

    def find_keys(self, keys: Sequence[str]) -> Mapping[str, int]:
        """As LogReader."""
        with self._reading() as cursor:
            size = _indexed_size(cursor)
            found = dict(indexed_keys(cursor, keys))
            rows = cursor.execute("SELECT key, seq FROM entry WHERE seq >= %s AND key = ANY (%s)", [size, texts(keys)])
            return {**found, **dict(rows)}

    def search(self, filters: SearchFilters, after_seq: int | None, limit: int) -> list[bytes]:
        """As LogReader: first the entries that are indexed, then the newest, which are read one by one."""
        start = 0 if after_seq is None else after_seq + 1
        with self._reading() as cursor:
            size = _indexed_size(cursor)
            found = _search(cursor, filters, start, size, limit) if start < size else []
            newest = (leaf for leaf in _newest(cursor, max(start, size)) if leaf_matches(leaf, filters))
            return found + list(islice(newest, limit - len(found)))

    def checkpoint(self) -> bytes | None:
        """As LogReader."""
        with self._reading() as cursor:
            row = cursor.execute("SELECT note FROM checkpoint WHERE id = 1").fetchone()
            return None if row is None else row[0]

    def close(self) -> None:
        """As LogReader."""
        while not self._idle.empty():
            self._idle.get().close()

    @contextmanager
    def _reading(self) -> Iterator[Cursor[TupleRow]]:
        try:
            session = self._idle.get_nowait()
        except queue.Empty:
            session = connect_reader(self._address)
        try:
            with storage_errors(), session.cursor(binary=True) as cursor:
                yield cursor
        except NotFound:
            self._idle.put(session)
            raise
        except BaseException:
            session.close()
            PostgresReader.close(self)
            raise
        self._idle.put(session)


def indexed_keys(cursor: Cursor[TupleRow], keys: Sequence[str]) -> Mapping[str, int]:
    """The seq of each key that is indexed."""
    return dict(cursor.execute("SELECT key, seq FROM idempotency WHERE key = ANY (%s)", [texts(keys)]))


def _indexed_size(cursor: Cursor[TupleRow]) -> int:
    row = cursor.execute("SELECT size FROM indexed WHERE id = 1").fetchone()
    return 0 if row is None else int(row[0])


def _newest(cursor: Cursor[TupleRow], start: int) -> Iterator[bytes]:
    """Leaves from `start` on."""
    query = "SELECT leaf FROM entry WHERE seq >= %s ORDER BY seq LIMIT %s"
    while rows := cursor.execute(query, [start, NEWEST]).fetchall():
        yield from (row[0] for row in rows)
        start += len(rows)


def _search(cursor: Cursor[TupleRow], filters: SearchFilters, start: int, end: int, limit: int) -> list[bytes]:
    """As LogReader, of indexed entries from `start` up to, but not including, `end`."""
    conditions, values = _conditions(filters)
    start, end = _bounds(cursor, filters, start, end)
    statement = (
        "SELECT entry.leaf FROM searchable JOIN entry USING (seq) WHERE seq >= %s AND seq < %s"  # noqa: S608
        + "".join(f" AND {condition}" for condition in conditions)
        + " ORDER BY seq LIMIT %s"
    )
    return [row[0] for row in cursor.execute(statement, [start, end, *values, limit])]


def _conditions(filters: SearchFilters) -> tuple[list[str], list[object]]:
    equal = ("subject", "institution", "kind", "purpose", "verdict", "reason")
    given: list[tuple[str, object]] = [
        (f"{name} = %s", getattr(filters, name)) for name in equal if getattr(filters, name) is not None
    ]
    if filters.not_before is not None:
        given.append(("ts >= %s", format_time(filters.not_before)))
    if filters.not_after is not None:
        given.append(("ts <= %s", format_time(filters.not_after)))
    if filters.category is not None:
        condition = "EXISTS (SELECT 1 FROM category WHERE category = %s AND category.seq = searchable.seq)"
        given.append((condition, filters.category))
    if filters.subjects:
        given.append(("subject = ANY (%s)", list(filters.subjects)))
    return [text for text, _ in given], [value for _, value in given]


def _bounds(cursor: Cursor[TupleRow], filters: SearchFilters, start: int, end: int) -> tuple[int, int]:
    """Bounds in time as bounds of seq, by the blocks of entries that can hold such a moment (as in SQLite)."""
    blocks = (start >> TIME_BLOCK_BITS, (end - 1) >> TIME_BLOCK_BITS)
    if filters.not_before is not None:
        block = _block(cursor, blocks, "min", "ORDER BY ts DESC LIMIT 1) >= %s", format_time(filters.not_before))
        start = end if block is None else max(start, block << TIME_BLOCK_BITS)
    if filters.not_after is not None:
        block = _block(cursor, blocks, "max", "ORDER BY ts LIMIT 1) <= %s", format_time(filters.not_after))
        end = start if block is None else min(end, (block + 1) << TIME_BLOCK_BITS)
    return start, end


def _block(cursor: Cursor[TupleRow], blocks: tuple[int, int], wanted: str, condition: str, moment: str) -> int | None:
    """The least or greatest block whose newest or oldest entry meets the condition."""
    row = cursor.execute(
        f"SELECT {wanted}(n) FROM generate_series(%s::bigint, %s::bigint) AS block (n) WHERE"  # noqa: S608 - constants
        f" (SELECT ts FROM searchable WHERE (seq >> {TIME_BLOCK_BITS}) = n {condition}",
        [*blocks, moment],
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])
