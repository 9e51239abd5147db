"""The storages that must keep LogStorage's contract, and where each of them keeps a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
