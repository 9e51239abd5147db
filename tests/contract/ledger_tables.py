"""Somebody with the database: past the guards against accidents, which are put back as they were."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from ledger.storage.sqlite_index import index_of
from tests.contract.log_storages import SQLITE, StorageKind

GUARDED = ("entry", "node", "head")

Change = tuple[str, Sequence[object]]
"""A statement with `?` for each of its values."""


def alter(kind: StorageKind, place: str, *changes: Change) -> None:
    if kind is SQLITE:
        _alter_file(place, changes)
    else:
        _alter_server(place, changes)


def leaf_of(kind: StorageKind, place: str, seq: int) -> bytes:
    reader = kind.open_reader(place)
    try:
        return reader.leaves(seq, seq + 1)[0]
    finally:
        reader.close()


def note_of(kind: StorageKind, place: str) -> bytes:
    reader = kind.open_reader(place)
    try:
        return reader.checkpoint() or b""
    finally:
        reader.close()


def _alter_file(place: str, changes: Sequence[Change]) -> None:
    connection = sqlite3.connect(place, isolation_level=None)
    connection.execute("ATTACH ? AS found", (str(index_of(Path(place))),))
    triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement, values in changes:
        connection.execute(statement, values)
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()


def _alter_server(place: str, changes: Sequence[Change]) -> None:
    with psycopg.connect(place, autocommit=True, options="-c search_path=ledger") as session:
        run: Any = session.execute
        for table in GUARDED:
            run(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for statement, values in changes:
            run(statement.replace("?", "%s"), values or None)
        for table in GUARDED:
            run(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
