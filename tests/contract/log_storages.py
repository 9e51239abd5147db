"""The storages that must keep LogStorage's contract, and where each of them keeps a log."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.storage import postgres_connection, sqlite
from ledger.storage.audit import Audit
from ledger.storage.interface import LogReader, LogStorage
from ledger.storage.postgres import PostgresStorage
from ledger.storage.postgres_audit import PostgresAudit
from ledger.storage.postgres_reader import PostgresReader
from ledger.storage.sqlite import SqliteStorage
from ledger.storage.sqlite_audit import SqliteAudit
from ledger.storage.sqlite_reader import SqliteReader


@dataclass(frozen=True)
class StorageKind:
    """How one implementation is opened on a place: a file, or the address of a database."""

    name: str
    open: Callable[[str], LogStorage]
    open_reader: Callable[[str], LogReader]
    open_audit: Callable[[str], Audit]


SQLITE = StorageKind(
    "sqlite",
    lambda place: SqliteStorage.open(Path(place)),
    lambda place: SqliteReader(Path(place)),
    lambda place: SqliteAudit(Path(place)),
)
POSTGRESQL = StorageKind("postgresql", PostgresStorage.open, PostgresReader, PostgresAudit)
STORAGES = (SQLITE, POSTGRESQL)


def unlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the locks away that keep a second sequencer out at once."""
    monkeypatch.setattr(sqlite, "_lock", lambda _: os.open(os.devnull, os.O_RDONLY))
    monkeypatch.setattr(postgres_connection, "_lock", lambda _: None)
