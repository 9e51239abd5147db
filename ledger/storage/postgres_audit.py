"""The audit of a PostgreSQL database (ledger.storage.audit): one repeatable-read transaction that cannot write.

What a server knows of its own pages is asked where the extension `amcheck` is installed and this role may use it; a
database with data checksums finds altered pages by itself, when they are read. Rows come through cursors of the server,
some thousands at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import psycopg

from ledger.storage.audit import (
    CATEGORIES,
    ENTRIES,
    INDEXES,
    KEYS,
    MAX_LEVEL,
    MAX_STRAYS,
    NODES,
    Rows,
    StoredEntry,
    Stray,
    merged,
)
from ledger.storage.interface import Head
from ledger.storage.postgres_connection import SCHEMA, connect_reader, storage_errors
from ledger.storage.postgres_schema import EXPECTED, described

FETCH_ROWS = 2000
"""Rows that the server sends at once: at most 32 MB of leaves."""


class PostgresAudit:
    """Implements Audit on a database by its address."""

    def __init__(self, address: str) -> None:
        self._session = connect_reader(address)
        try:
            with storage_errors():
                self._session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                # Sorting the keys of a large log takes longer than any reader of a running one may.
                self._session.execute("SET LOCAL statement_timeout = 0")
                self._session.execute("SELECT count(*) FROM head")  # the first read takes the snapshot
        except BaseException:
            self._session.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def damage(self) -> list[str]:
        """As Audit: every index against its table (`bt_index_check`), where amcheck can be used."""
        found = []
        with storage_errors():
            check = self._amcheck()
            for name, oid in [] if check is None else self._indexes():
                try:
                    with self._session.transaction():
                        self._session.execute(f"SELECT {check}(%s::oid::regclass, true)", [oid])  # type: ignore[call-overload,unused-ignore]
                except psycopg.errors.DatabaseError as error:
                    found.append(f"index {name}: {type(error).__name__}")
        return found

    def altered_schema(self) -> list[str]:
        """As Audit: what the catalogue says, compared with what it says of a fresh database of this version."""
        with storage_errors():
            differing = set(described(self._session)) ^ set(EXPECTED)
        return sorted({name for name, _ in differing})

    def head(self) -> Head | None:
        """As Audit."""
        with storage_errors():
            row = self._session.execute("SELECT size, last FROM head WHERE id = 1").fetchone()
        return None if row is None else Head(*row)

    def checkpoint(self) -> tuple[int, bytes] | None:
        """As Audit."""
        with storage_errors():
            row = self._session.execute("SELECT size, note FROM checkpoint WHERE id = 1", binary=True).fetchone()
        return None if row is None else (row[0], row[1])

    def indexed(self) -> int:
        """As Audit."""
        with storage_errors():
            row = self._session.execute("SELECT size FROM indexed WHERE id = 1").fetchone()
        return 0 if row is None else int(row[0])

    def entries(self) -> Iterator[StoredEntry]:
        """As Audit."""
        with (
            self._rows("entries", ENTRIES) as entries,
            self._rows("categories", CATEGORIES) as categories,
            self._rows("keys", KEYS) as keys,
            self._rows("nodes", NODES) as nodes,
        ):
            yield from merged(entries, categories, keys, nodes)

    def strays(self, size: int) -> list[Stray]:
        """As Audit."""
        found = []
        with storage_errors():
            for table in INDEXES:
                rows = self._session.execute(
                    f"SELECT DISTINCT seq FROM {table} WHERE NOT EXISTS (SELECT 1 FROM entry"  # noqa: S608 - constants
                    f" WHERE entry.seq = {table}.seq) ORDER BY seq LIMIT {MAX_STRAYS}"
                )
                found += [Stray(table, str(row[0])) for row in rows]
            # Not (position + 1) << level: of a position that nobody stored in good faith, that would lose bits.
            nodes = self._session.execute(
                f"SELECT level, position FROM node WHERE level > {MAX_LEVEL} OR position >= %s::bigint >> level"  # noqa: S608 - constants
                f" ORDER BY level, position LIMIT {MAX_STRAYS}",
                [size],
            )
            found += [Stray("node", f"{level}/{position}") for level, position in nodes]
        return found

    @contextmanager
    def _rows(self, name: str, statement: str) -> Iterator[Rows]:
        with storage_errors(), self._session.cursor(name, binary=True) as cursor:
            cursor.itersize = FETCH_ROWS
            cursor.execute(statement)  # type: ignore[call-overload,unused-ignore]
            yield iter(cursor)

    def _amcheck(self) -> str | None:
        """The qualified name of its function; None where it is not installed or not allowed to this role."""
        row = self._session.execute(
            "SELECT p.oid::regproc::text FROM pg_extension e JOIN pg_depend d ON d.refobjid = e.oid JOIN pg_proc p"
            " ON p.oid = d.objid WHERE e.extname = 'amcheck' AND p.proname = 'bt_index_check' AND p.pronargs = 2"
            " AND has_function_privilege(p.oid, 'EXECUTE')"
        ).fetchone()
        return None if row is None else str(row[0])

    def _indexes(self) -> list[tuple[str, int]]:
        rows = self._session.execute(
            "SELECT relname, oid FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'i' ORDER BY 1",
            [SCHEMA],
        )
        return [(str(name), int(oid)) for name, oid in rows]
