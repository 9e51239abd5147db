"""Schema versions of the SQLite storage, in order. The version of a database is its `PRAGMA user_version`.

A released version is never edited: a change is a new module, appended here. All run in one transaction.
"""

from __future__ import annotations

from ledger.storage.migrations import (
    v0001_initial,
    v0002_subjects_by_blocks,
    v0003_indexes_beside,
    v0004_nodes_in_order,
)

VERSIONS: tuple[tuple[str, ...], ...] = (
    v0001_initial.STATEMENTS,
    v0002_subjects_by_blocks.STATEMENTS,
    v0003_indexes_beside.STATEMENTS,
    v0004_nodes_in_order.STATEMENTS,
)
