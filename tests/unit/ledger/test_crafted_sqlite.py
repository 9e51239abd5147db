"""A SQLite file whose definitions are a ledger's and whose values are of other types: SQLite looks at types only when
it writes. Whoever reads such a file gets a named error, and `fsck` names what is wrong.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import LedgerCorrupt
from ledger.fsck import fsck
from ledger.storage.searchable import SearchFilters
from ledger.storage.sqlite import SqliteStorage
from ledger.storage.sqlite_audit import SqliteAudit
from ledger.storage.sqlite_index import index_of
from ledger.storage.sqlite_reader import SqliteReader
from ledger.tree import NodeId
from tests.support.sample_log import fill_storage, sample_log

Read = Callable[[SqliteReader], object]

CRAFTED: dict[str, tuple[str, str, Read, str]] = {
    "a leaf is text": ("entry", "leaf = CAST(leaf AS TEXT)", lambda reader: reader.leaves(0, 10), "entry"),
    "a leaf is a number": ("entry", "leaf = 7", lambda reader: reader.leaves(0, 10), "entry"),
    "a leaf is absent": ("entry", "leaf = NULL", lambda reader: reader.search(SearchFilters(), None, 10), "entry"),
    "a leaf hash is text": ("entry", "leaf_hash = 'x'", lambda reader: reader.nodes([NodeId(0, 2)]), "entry"),
    "a node is a number": ("node", "hash = 32", lambda reader: reader.nodes([NodeId(1, 0)]), "node"),
    "the note is text": ("checkpoint", "note = CAST(note AS TEXT)", SqliteReader.checkpoint, "checkpoint"),
    "the size is text": ("head", "size = 'ten'", SqliteReader.head, "head"),
    "the last hash is absent": ("head", "last = NULL", SqliteReader.head, "head"),
}


def craft(path: Path, table: str, change: str) -> None:
    """Takes the table for one without types, changes all of it, and puts the definition back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        run = connection.execute
        (definition,) = run("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        for (trigger,) in run("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            run(f"DROP TRIGGER {trigger}")
        columns = [row[1] for row in run(f"PRAGMA table_info({table})")]
        loose = f"CREATE TABLE {table} ({columns[0]} INTEGER PRIMARY KEY, {', '.join(columns[1:])})"
        run("PRAGMA writable_schema = ON")
        run("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (loose, table))
        run("PRAGMA writable_schema = RESET")
        run(f"UPDATE {table} SET {change}")  # noqa: S608 - a constant
        run("PRAGMA writable_schema = ON")
        run("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (definition, table))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    fill_storage(sample_log(), SqliteStorage.open(path))
    index_of(path).unlink()  # so that all is found by reading the log
    return path


@pytest.mark.parametrize("name", CRAFTED)
def test_a_value_of_another_type_is_a_named_error(path: Path, name: str) -> None:
    table, change, read, _ = CRAFTED[name]
    craft(path, table, change)
    with closing(SqliteReader(path, offline=True)) as reader, pytest.raises(LedgerCorrupt, match="column's type"):
        read(reader)


@pytest.mark.parametrize("name", CRAFTED)
def test_and_fsck_names_where_it_is(path: Path, name: str) -> None:
    table, change, _, where = CRAFTED[name]
    craft(path, table, change)
    with SqliteAudit(path) as audit:
        found = fsck(audit).findings
    assert any(finding.place.startswith(where) for finding in found), found
