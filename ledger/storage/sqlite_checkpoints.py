"""SQLite's write-ahead log is copied into the file by a thread of its own, so that commits hardly wait for it.

When ENTRIES were committed since the last time:

1. right after a commit, a second connection begins to copy (`wal_checkpoint(PASSIVE)`: it waits for nobody);
2. commits go on meanwhile, behind what is being copied;
3. once it has ended, the writing thread itself copies the few pages that came in since, between two commits; with that
   the log is empty, and the next commit begins it anew.

SQLite before 3.51.3 has a rare bug here (sqlite.org/wal.html#walresetbug): a checkpoint that *begins while everything
is copied already* may overlook that a commit just then begins the log anew. It needs step 1 on an empty log. Here step
1 always follows a commit that followed the last step 3, so there is something to copy when it begins; until it has
copied that, no commit can begin the log anew; and nobody else copies meanwhile: commits do not copy by themselves
(`wal_autocheckpoint = 0`), and readers cannot (`mode=ro`). So that state is never reached.

What a killed process left is copied when the database is opened, so that the log stays small also where processes die
before they come to ENTRIES.

A copy that fails (disk full) loses nothing: the log keeps what it has, and step 3 tries again.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import structlog

ENTRIES = 2048
"""About 32 MB of log (some 17 KB an entry): pages that are touched again and again are copied once."""
COPY = "PRAGMA wal_checkpoint(PASSIVE)"

_log = structlog.get_logger("ledger.storage")


class WalCheckpoints:
    """Used by the writing thread alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(1, "ledger-checkpoint")
        self._copying: Future[None] | None = None
        self._entries = 0

    def opened(self, writer: sqlite3.Connection) -> None:
        """Before the first commit, and before anything is copied beside."""
        _copy(writer)

    def committed(self, writer: sqlite3.Connection, entries: int) -> None:
        """Right after each commit, also of a checkpoint's note (one entry); 0 when it changed nothing."""
        if entries == 0:
            return
        self._entries += entries
        if self._copying is not None:
            if self._copying.done():
                self._finish(writer)
        elif self._entries >= ENTRIES:
            self._copying = self._executor.submit(_copy_beside, self._path)

    def close(self) -> None:
        """Waits for what is under way."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _finish(self, writer: sqlite3.Connection) -> None:
        self._copying, self._entries = None, 0
        _copy(writer)


def _copy_beside(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        _copy(connection)
    finally:
        connection.close()


def _copy(connection: sqlite3.Connection) -> None:
    try:
        connection.execute(COPY).fetchone()
    except sqlite3.Error as error:
        _log.warning("write-ahead log not copied", code=type(error).__name__, detail=str(error))
