"""SQLite's write-ahead log is copied into the file by a thread of its own, so that commits hardly wait for it.

When PAGES were committed since the last time:

1. right after a commit, a second connection begins to copy (`wal_checkpoint(PASSIVE)`: it waits for nobody);
2. commits go on meanwhile, behind what is being copied; if more than REST pages came in, they are copied beside too,
   which is sooner done, PASSES times at most;
3. the writing thread itself copies the few pages that came in since, between two commits; with that the log is empty,
   and the next commit begins it anew.

SQLite before 3.51.3 has a rare bug here (sqlite.org/wal.html#walresetbug): a checkpoint that *begins while everything
is copied already* may overlook that a commit just then begins the log anew. It needs a copy that begins on an empty
log. Here each copy beside begins right after a commit that was begun after the copy before had ended, so there is
something to copy; until it has copied that, no commit can begin the log anew; and nobody else copies meanwhile: commits
do not copy by themselves (`wal_autocheckpoint = 0`), and readers cannot (`mode=ro`). So that state is never reached.

What a killed process left is copied when the database is opened, so that the log stays small also where processes die
before they come to PAGES.

A copy that fails (disk full) loses nothing: the log keeps what it has, and step 3 tries again.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import structlog

PAGES = 4096
"""32 MB of log: pages that are touched again and again are copied once, and commits seldom wait for step 3."""
REST = 128
"""Pages that the writing thread copies itself: a millisecond or two."""
PASSES = 3
"""Where commits are faster than copies, they wait at last: the log would grow for ever."""
COMMIT_PAGES = 3
"""Pages that every commit writes."""
ENTRIES_PER_PAGE = 6
"""Entries for which it writes one more (measured: 3 pages for one entry, 14 for 64, 41 for 256)."""
COPY = "PRAGMA wal_checkpoint(PASSIVE)"

_log = structlog.get_logger("ledger.storage")


class WalCheckpoints:
    """Used by the writing thread alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(1, "ledger-checkpoint")
        self._copying: Future[None] | None = None
        self._has_ended = False
        self._pages = self._passes = 0

    def opened(self, writer: sqlite3.Connection) -> None:
        """Before the first commit, and before anything is copied beside."""
        _copy(writer)

    def committed(self, writer: sqlite3.Connection, entries: int) -> None:
        """Right after each commit, also of a checkpoint's note (one entry); 0 when it changed nothing."""
        if entries == 0:
            return
        self._pages += COMMIT_PAGES + entries // ENTRIES_PER_PAGE
        if self._copying is None:
            if self._pages >= PAGES:
                self._begin()
        elif self._has_ended:
            self._begin()
        elif self._copying.done():
            if self._pages > REST and self._passes < PASSES:
                self._has_ended = True  # it may have copied this commit too: the next one is certainly not copied
            else:
                self._finish(writer)

    def close(self) -> None:
        """Waits for what is under way."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _begin(self) -> None:
        self._pages, self._passes, self._has_ended = 0, self._passes + 1, False
        self._copying = self._executor.submit(_copy_beside, self._path)

    def _finish(self, writer: sqlite3.Connection) -> None:
        self._pages, self._passes, self._copying = 0, 0, None
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
