"""The storages that must keep LogStorage's contract. A further one (PostgreSQL) is one more line in STORAGES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger.storage.interface import LogReader, LogStorage
from ledger.storage.sqlite import SqliteStorage
from ledger.storage.sqlite_reader import SqliteReader


@dataclass(frozen=True)
class StorageKind:
    """How one implementation is opened on a place (a file, an address)."""

    name: str
    place: Callable[[Path], Path]
    open: Callable[[Path], LogStorage]
    open_reader: Callable[[Path], LogReader]


STORAGES = (StorageKind("sqlite", lambda folder: folder / "ledger.db", SqliteStorage.open, SqliteReader),)
