"""Opening SQLite files the way the ledger needs them.

The standard library's sqlite3, not SQLAlchemy: an auditor can then verify, search and export a database file
with nothing installed but `cryptography`; pragmas, transactions and read-only opening are said once, here,
and not through a pool's events; and the other implementation (PostgreSQL) is arrays and an advisory lock, which
no common layer would share. Schema versions: `ledger.storage.migrations`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import NotFound, StorageFailed
from ledger.storage.migrations import VERSIONS

APPLICATION_ID = 0x43474C47
"""`CGLG`: marks the file as a Consentgate ledger."""
WAL_SUFFIX = "-wal"
"""Appended by SQLite to the file's name for its write-ahead log, which exists while a process has the file open."""
PAGE_BYTES = 8192
"""Leaves have about 900 bytes: of a page of 4096 a quarter would stay empty."""
BUSY_SECONDS = 5.0
"""How long a connection waits for another's lock. Only accidents make it wait: there is one writer, and
WAL readers do not block.
"""


def connect_writer(path: Path) -> sqlite3.Connection:
    """The one writing connection, migrated; WAL and FULL sync, so that a commit survives a power cut."""
    with storage_errors():
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _refuse_strangers(connection)
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file; others keep theirs
            _begin_log_ahead(connection)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")  # `sqlite_checkpoints` copies, and nobody else
            connection.execute("PRAGMA trusted_schema = OFF")
            _migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def connect_reader(path: Path, *, offline: bool = False) -> sqlite3.Connection:
    """A connection that cannot write.

    `offline`, for tools that examine a file: when no write-ahead log lies beside it, no process has it open, and it is
    read as immutable. Then nothing is created beside it, and a read-only medium will do. Never for a server's readers:
    they would not see what is written later.
    """
    if not path.is_file():
        raise NotFound(f"there is no database {path}")
    with storage_errors():
        uri = read_only_uri(path, offline=offline)
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA trusted_schema = OFF")
            _check_version(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def read_only_uri(path: Path, *, offline: bool = False) -> str:
    """How SQLite is told to open a file that it must not write; `offline`: as `connect_reader`."""
    immutable = offline and not Path(f"{path}{WAL_SUFFIX}").exists()
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if immutable else ''}"


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns errors of SQLite into StorageFailed; their texts name tables and files, never values."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageFailed(f"sqlite says: {error}") from error


def _refuse_strangers(connection: sqlite3.Connection) -> None:
    """Somebody else's database, named by mistake, is neither migrated nor touched."""
    is_new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if not is_new and connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StorageFailed("not a ledger database")


def _begin_log_ahead(connection: sqlite3.Connection) -> None:
    """SQLite answers with the mode it kept when it cannot change it (an I/O error, a file system without shared
    memory): writing without a write-ahead log would block all readers, and leave them locked out after a crash.
    """
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise StorageFailed(f"the database cannot have a write-ahead log; its journal mode stays {mode}")


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for statements in VERSIONS[version:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {max(version, len(VERSIONS))}")
    connection.execute("COMMIT")
    _check_version(connection)


def _check_version(connection: sqlite3.Connection) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID or version != len(VERSIONS):
        raise StorageFailed(f"not a ledger database of schema version {len(VERSIONS)}")
