"""Which storage a configuration's `database` names.

PostgreSQL's driver is an extra (`postgresql`), so it is looked for here, once, when the module is loaded.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from consentgate.config import SQLITE_FILE
from consentgate.errors import ConsentgateError, ErrorCode
from ledger.storage.audit import Audit
from ledger.storage.interface import LogReader, LogStorage
from ledger.storage.postgres_address import POSTGRESQL
from ledger.storage.sqlite import SqliteStorage
from ledger.storage.sqlite_audit import SqliteAudit
from ledger.storage.sqlite_reader import SqliteReader
from ledger_service.foreign_tables import refuse_foreign_tables

HAS_POSTGRESQL = find_spec("psycopg") is not None

if TYPE_CHECKING or HAS_POSTGRESQL:
    from ledger.storage.postgres import PostgresStorage
    from ledger.storage.postgres_audit import PostgresAudit
    from ledger.storage.postgres_reader import PostgresReader


def open_storage(database: str) -> LogStorage:
    """For writing; raises StorageFailed, also when another process has it open."""
    if database.startswith(POSTGRESQL):
        _require_driver()
        return PostgresStorage.open(database)
    return SqliteStorage.open(sqlite_file(database))


def open_reader(database: str) -> LogReader:
    """For an offline tool, also beside a running ledger."""
    if database.startswith(POSTGRESQL):
        _require_driver()
        return PostgresReader(database)
    return SqliteReader(_examined(database), offline=True)


def open_live_reader(database: str) -> LogReader:
    """For a tool that follows what a running ledger writes."""
    if database.startswith(POSTGRESQL):
        _require_driver()
        return PostgresReader(database)
    return SqliteReader(_examined(database))


def open_audit(database: str) -> Audit:
    """For `ledger.fsck`, also beside a running ledger; raises StorageFailed or NotFound when it cannot be read."""
    if database.startswith(POSTGRESQL):
        _require_driver()
        return PostgresAudit(database)
    return SqliteAudit(_examined(database))


def sqlite_file(database: str) -> Path:
    """The file that a `sqlite:///` address names."""
    return Path(database.removeprefix(SQLITE_FILE))


def _examined(database: str) -> Path:
    """The file, in which nothing but a ledger's tables will be read."""
    path = sqlite_file(database)
    refuse_foreign_tables(path)
    return path


def _require_driver() -> None:
    if not HAS_POSTGRESQL:
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID,
            field="database: PostgreSQL's driver is not installed",
            hint="Install it: pip install 'consentgate[postgresql]'",
        )
