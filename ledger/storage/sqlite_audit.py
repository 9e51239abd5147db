"""Every row of a ledger database as it stands, for `ledger.fsck`: one snapshot, read-only, streamed in order of seq.

Nothing is judged here but what SQLite itself can say: whether its pages and indexes agree, and whether tables, indexes
and triggers are those of the migrations.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from ledger.storage.interface import Head
from ledger.storage.migrations import VERSIONS
from ledger.storage.sqlite_connection import connect_reader, storage_errors
from ledger.tree import NodeId

MAX_INTEGRITY_LINES = 20
"""Lines that SQLite's own examination may return."""
MAX_STRAYS = 100
"""Rows without an entry that are named, per table."""
MAX_LEVEL = 52
"""Highest level of a node: 2^53 - 1 leaves have no higher complete subtree."""


class SearchableRow(NamedTuple):
    """What the table `searchable` says of an entry."""

    kind: str
    ts: str
    subject: str | None
    institution: str | None
    purpose: str | None
    verdict: str | None
    reason: str | None


class StoredKey(NamedTuple):
    """An idempotency key, and what binds it to its leaf."""

    key: str
    binding: bytes


@dataclass(frozen=True)
class StoredEntry:
    """All rows that belong to one seq; `searchable` is None when that row is missing."""

    seq: int
    leaf: bytes
    leaf_hash: bytes
    searchable: SearchableRow | None
    categories: frozenset[str]
    keys: tuple[StoredKey, ...]


class Stray(NamedTuple):
    """A row that belongs to no entry, or to no complete subtree."""

    table: str
    where: str


class DatabaseAudit:
    """One snapshot of a database; use as a context."""

    def __init__(self, path: Path) -> None:
        self._connection = connect_reader(path, offline=True)
        with storage_errors():
            self._connection.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def damage(self) -> list[str]:
        """What SQLite finds wrong with its own pages, indexes and constraints; empty when all is well."""
        with self._rows(f"PRAGMA integrity_check({MAX_INTEGRITY_LINES})") as rows:
            return [str(row[0]) for row in rows if row[0] != "ok"]

    def altered_schema(self) -> list[str]:
        """Names of tables, indexes and triggers that are missing, foreign, or not as the migrations made them."""
        fresh = sqlite3.connect(":memory:")
        try:
            for statement in (statement for version in VERSIONS for statement in version):
                fresh.execute(statement)
            expected = _schema(fresh)
        finally:
            fresh.close()
        with storage_errors():
            found = _schema(self._connection)
        return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))

    def head(self) -> Head | None:
        """The head row."""
        with self._rows("SELECT size, last FROM head WHERE id = 1") as rows:
            return next((Head(*row) for row in rows), None)

    def checkpoint(self) -> tuple[int, bytes] | None:
        """Size column and note of the newest witnessed checkpoint."""
        with self._rows("SELECT size, note FROM checkpoint WHERE id = 1") as rows:
            return next(((row[0], row[1]) for row in rows), None)

    def node(self, node: NodeId) -> bytes | None:
        """A stored node above level 0."""
        with self._rows("SELECT hash FROM node WHERE level = ? AND position = ?", *node) as rows:
            return next((bytes(row[0]) for row in rows), None)

    def entries(self) -> Iterator[StoredEntry]:
        """All entries with what belongs to them, in order of seq."""
        entries = (
            "SELECT entry.seq, leaf, leaf_hash, searchable.seq, kind, ts, subject, institution, purpose, verdict,"
            " reason FROM entry LEFT JOIN searchable USING (seq) ORDER BY entry.seq"
        )
        with (
            self._rows(entries) as rows,
            self._rows("SELECT seq, category FROM category ORDER BY seq") as categories,
            self._rows("SELECT seq, key, binding FROM idempotency ORDER BY seq") as keys,
        ):
            category_groups, key_groups = _Groups(categories), _Groups(keys)
            for seq, leaf, leaf_hash, found, *columns in rows:
                yield StoredEntry(
                    seq=seq,
                    leaf=leaf,
                    leaf_hash=leaf_hash,
                    searchable=None if found is None else SearchableRow(*columns),
                    categories=frozenset(row[1] for row in category_groups.take(seq)),
                    keys=tuple(StoredKey(*row[1:]) for row in key_groups.take(seq)),
                )

    def strays(self, size: int) -> list[Stray]:
        """Rows of the other tables that belong to no entry, and nodes that `size` leaves do not complete."""
        found = []
        for table in ("searchable", "category", "idempotency"):
            query = f"SELECT DISTINCT seq FROM {table} WHERE seq NOT IN (SELECT seq FROM entry) LIMIT {MAX_STRAYS}"  # noqa: S608 - constants
            with self._rows(query) as rows:
                found += [Stray(table, str(row[0])) for row in rows]
        nodes = f"SELECT level, position FROM node WHERE level > {MAX_LEVEL} OR (position + 1) << level > ?"  # noqa: S608 - a constant
        with self._rows(f"{nodes} LIMIT {MAX_STRAYS}", size) as rows:
            found += [Stray("node", f"{level}/{position}") for level, position in rows]
        return found

    @contextmanager
    def _rows(self, statement: str, *values: int) -> Iterator[Iterator[tuple[Any, ...]]]:
        with storage_errors():
            cursor = self._connection.execute(statement, values)
            try:
                yield cursor
            finally:
                cursor.close()


class _Groups:
    """Rows that begin with seq, in order of it, taken a seq at a time; those of seqs nobody takes are passed over."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def take(self, seq: int) -> list[tuple[Any, ...]]:
        taken = []
        while self._next is not None and self._next[0] <= seq:
            if self._next[0] == seq:
                taken.append(self._next)
            self._next = next(self._rows, None)
        return taken


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    """Name → definition; SQLite's own tables and automatic indexes have none."""
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    return dict(rows.fetchall())
