"""Is a file that somebody hands over a ledger's database at all, before anything in it is read?

SQLite executes what a file says: under the names of a ledger's tables it may hold views that never come to an end, or
columns that take any type. So the definitions are compared first, with those of a fresh database and a fresh index;
what else is in the file is not read, and `ledger fsck` names it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ledger.errors import StorageFailed
from ledger.storage.migrations import VERSIONS
from ledger.storage.sqlite_connection import connect_reader, read_only_uri, storage_errors
from ledger.storage.sqlite_index import SCHEMA, index_of

_TABLES = "SELECT name, type, sql FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"

Definitions = dict[str, tuple[str, str]]


def refuse_foreign_tables(log: Path) -> None:
    """Raises StorageFailed naming the table that is none of a ledger's, in the file or the index beside it; NotFound
    when there is no file.
    """
    with storage_errors():
        with closing(connect_reader(log, offline=True)) as connection:
            _compare(_definitions(connection), [statement for version in VERSIONS for statement in version])
        index = index_of(log)
        if index.is_file():
            with closing(sqlite3.connect(read_only_uri(index, offline=True), uri=True)) as connection:
                found = _definitions(connection)
            if found:  # else it was just being made
                _compare(found, SCHEMA)


def _compare(found: Definitions, statements: Sequence[str]) -> None:
    with closing(sqlite3.connect(":memory:")) as fresh:
        for statement in statements:
            fresh.execute(statement)
        for name, definition in _definitions(fresh).items():
            if found.get(name) != definition:
                raise StorageFailed(f"not a ledger database: {name} is not the table that a ledger makes")


def _definitions(connection: sqlite3.Connection) -> Definitions:
    return {name: (kind, sql) for name, kind, sql in connection.execute(_TABLES)}
