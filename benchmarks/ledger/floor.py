"""The least that a durable append can cost with asyncio, a JSON encoder, SHA-256 and SQLite: 64 writers, natural
batches, one commit for all that wait. No checks, tree, chain, keys or index, and the write-ahead log is not copied.

What the ledger costs beyond it is what the ledger does; whether a target is out of its reach is judged by this.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.ledger.appending import Appended, write
from benchmarks.ledger.workload import Wanted, Workload
from ledger.entry import canonical_json
from ledger.sequencer import BATCH_LIMIT

_PRAGMAS = ("page_size = 8192", "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0")
_Waiting = tuple[Wanted, asyncio.Future[None]]


class Floor:
    """One table, and the writers in front of it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, leaf BLOB, hash BLOB) STRICT")
        self._size = 0

    def sequence(self, work: Workload, entries: int, writers: int) -> Appended:
        """As `appending.sequence`."""
        with ThreadPoolExecutor(1) as executor:
            appended = asyncio.run(self._sequence(executor, [next(work) for _ in range(entries)], writers))
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return appended

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    async def _sequence(self, executor: ThreadPoolExecutor, wanted: list[Wanted], writers: int) -> Appended:
        loop, arrived, queue = asyncio.get_running_loop(), asyncio.Event(), list[_Waiting]()

        async def commit() -> None:
            while True:
                while not queue:
                    arrived.clear()
                    await arrived.wait()
                batch, queue[:] = queue[:BATCH_LIMIT], queue[BATCH_LIMIT:]
                await loop.run_in_executor(executor, self._commit, [item for item, _ in batch])
                for _, waiting in batch:
                    waiting.set_result(None)

        async def append(item: Wanted) -> None:
            waiting = loop.create_future()
            queue.append((item, waiting))
            arrived.set()
            await waiting

        committing = asyncio.create_task(commit())
        try:
            return await write(append, wanted, writers)
        finally:
            committing.cancel()

    def _commit(self, batch: Sequence[Wanted]) -> None:
        leaves = [canonical_json(item.body) for item in batch]
        rows = [(seq, leaf, hashlib.sha256(leaf).digest()) for seq, leaf in enumerate(leaves, self._size)]
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT INTO entry VALUES (?, ?, ?)", rows)
        self._connection.execute("COMMIT")
        self._size += len(rows)
