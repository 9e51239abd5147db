"""SQLite databases as earlier versions of the schema stored a log."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ledger.storage import sqlite_connection
from ledger.storage.interface import Batch
from ledger.storage.migrations import VERSIONS
from ledger.storage.searchable import searchable_leaf


def store_version(version: int, path: Path, batch: Batch) -> None:
    """A closed log of version 1 or 2, in which keys and what can be searched were tables of the same file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for statement in (statement for statements in VERSIONS[:version] for statement in statements):
            old.execute(statement)
        old.execute(f"PRAGMA application_id = {sqlite_connection.APPLICATION_ID}")
        old.execute(f"PRAGMA user_version = {version}")
        for seq, record in enumerate(batch.records):
            old.execute("INSERT INTO entry VALUES (?, ?, ?)", (seq, record.leaf, record.leaf_hash))
            if record.key is not None:
                old.execute("INSERT INTO idempotency VALUES (?, ?, ?)", (record.key, seq, record.binding))
            *columns, categories = searchable_leaf(record.leaf)
            old.execute("INSERT INTO searchable VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (seq, *columns))
            old.executemany("INSERT INTO category VALUES (?, ?)", [(name, seq) for name in categories])
        old.executemany("INSERT INTO node VALUES (?, ?, ?)", [(*node.id, node.hash) for node in batch.nodes])
        old.execute("UPDATE head SET size = ?, last = ?", (batch.head.size, batch.head.last))
