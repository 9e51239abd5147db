"""The audit of a SQLite file (ledger.storage.audit): one read transaction on a connection that cannot write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ledger.storage.audit import (
    CATEGORIES,
    ENTRIES,
    INDEXES,
    KEYS,
    MAX_LEVEL,
    MAX_STRAYS,
    NODES,
    StoredEntry,
    Stray,
    blob,
    merged,
)
from ledger.storage.interface import Head
from ledger.storage.migrations import VERSIONS
from ledger.storage.sqlite_connection import connect_reader, storage_errors
from ledger.storage.sqlite_index import SCHEMA, attach, has_index, indexed_size

MAX_INTEGRITY_LINES = 20
"""Lines that SQLite's own examination may return."""


class SqliteAudit:
    """Implements Audit on a database file."""

    def __init__(self, path: Path) -> None:
        self._connection = connect_reader(path, offline=True)
        try:
            with storage_errors():
                attach(self._connection, path, offline=True)
                self._connection.execute("BEGIN")
                # The first reads take the snapshots, of the index before that of the log, which is ahead of it.
                self._indexed = indexed_size(self._connection)
                self._connection.execute("SELECT count(*) FROM head").fetchone()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def damage(self) -> list[str]:
        """As Audit: SQLite's own examination."""
        with self._rows(f"PRAGMA integrity_check({MAX_INTEGRITY_LINES})") as rows:
            return [str(row[0]) for row in rows if row[0] != "ok"]

    def altered_schema(self) -> list[str]:
        """As Audit: compared with a fresh database and a fresh index of this version, in memory."""
        altered = self._altered("main", [statement for version in VERSIONS for statement in version])
        return sorted(altered | self._altered("found", SCHEMA) if has_index(self._connection) else altered)

    def _altered(self, database: str, statements: Sequence[str]) -> set[str]:
        fresh = sqlite3.connect(":memory:")
        try:
            for statement in statements:
                fresh.execute(statement)
            expected = _schema(fresh, "main")
        finally:
            fresh.close()
        with storage_errors():
            found = _schema(self._connection, database)
        return {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}

    def head(self) -> Head | None:
        """As Audit."""
        with self._rows("SELECT size, last FROM head WHERE id = 1") as rows:
            return next((Head(*row) for row in rows if isinstance(row[0], int) and isinstance(row[1], str)), None)

    def checkpoint(self) -> tuple[int, bytes] | None:
        """As Audit."""
        with self._rows("SELECT size, note FROM checkpoint WHERE id = 1") as rows:
            return next(((row[0], blob(row[1])) for row in rows), None)

    def indexed(self) -> int:
        """As Audit."""
        return self._indexed

    def entries(self) -> Iterator[StoredEntry]:
        """As Audit."""
        with (
            self._rows(ENTRIES) as entries,
            self._rows(CATEGORIES) as categories,
            self._rows(KEYS) as keys,
            self._rows(NODES) as nodes,
        ):
            yield from merged(entries, categories, keys, nodes)

    def strays(self, size: int) -> list[Stray]:
        """As Audit."""
        found = []
        for table in INDEXES:
            query = f"SELECT DISTINCT seq FROM {table} WHERE seq NOT IN (SELECT seq FROM entry) LIMIT {MAX_STRAYS}"  # noqa: S608 - constants
            with self._rows(query) as rows:
                found += [Stray(table, str(row[0])) for row in rows]
        # Not (position + 1) << level: of a position that nobody stored in good faith, that would lose bits.
        nodes = f"SELECT level, position FROM node WHERE level > {MAX_LEVEL} OR position >= ? >> level"  # noqa: S608 - a constant
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


def _schema(connection: sqlite3.Connection, database: str) -> dict[str, str]:
    """Name → definition; SQLite's own tables and automatic indexes have none."""
    rows = connection.execute(
        f"SELECT name, sql FROM {database}.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"  # noqa: S608 - a constant
    )
    return dict(rows.fetchall())
