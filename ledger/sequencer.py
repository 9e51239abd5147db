"""The one writer: gives entries their sequence numbers and stores them in batches.

Natural batching: whatever arrived during the last commit goes into the next, at most 256; nobody waits for a batch to
fill. The queue before it is bounded, and what does not fit is refused with nothing written. A failed commit is never
continued from memory: what the storage kept is read again, verified, before anything else is written. Idempotency keys
are looked up in the storage for every batch, so a repeat finds its entry also when the answer was lost in a crash.

A batch is drafted and committed by one thread, one after the other. Drafting the next while one is committed was tried:
it halves the batches, and the two threads take the interpreter from each other; it was slower on SQLite (94 → 157 µs of
processor time an entry) and no faster on PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from functools import cached_property

import structlog

from ledger.chain import Chain
from ledger.draft import Recorded, Wanted, make_draft
from ledger.errors import EntryInvalid, HeadConflict, LedgerError, LedgerFull, LedgerReadOnly
from ledger.storage.interface import MAX_KEY, Head, LogStorage

__all__ = ["BATCH_LIMIT", "QUEUE_LIMIT", "Recorded", "Sequencer"]

QUEUE_LIMIT = 4096
"""Entries that may wait for a commit; at 16 KiB a leaf at most 64 MiB."""
BATCH_LIMIT = 256
"""Entries in one transaction: beyond it throughput hardly grows, and the wait of the first does."""
RELOAD_SECONDS = 1.0
"""Between two attempts to read the history again after a failed commit."""

_log = structlog.get_logger("ledger.sequencer")


_Pending = tuple[Wanted, asyncio.Future[Recorded]]
"""An entry, and who waits for it."""


def _settle(waiting: asyncio.Future[Recorded], outcome: Recorded | LedgerError) -> None:
    """Tells the caller, unless it has gone."""
    if waiting.done():
        return
    if isinstance(outcome, Recorded):
        waiting.set_result(outcome)
    else:
        waiting.set_exception(outcome)


class Sequencer:
    """`add` from any task of one loop while `run` runs."""

    def __init__(
        self,
        storage: LogStorage,
        load: Callable[[], Chain],
        clock: Callable[[], datetime],
        executor: Executor,
        grown: Callable[[int], None],
    ) -> None:
        """`executor` has one thread, in which the storage is written; `load` reads the verified history; `grown` is
        told the new size after each commit.
        """
        self._storage = storage
        self._load = load
        self._clock = clock
        self._executor = executor
        self._grown = grown
        self._queue: deque[_Pending] = deque()
        self._arrived = asyncio.Event()
        self._chain: Chain | None = None
        self._settled = False

    @property
    def is_settled(self) -> bool:
        """False before the first load and from a failed commit until the history was read again."""
        return self._settled

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """Asked for once: Python 3.11 asks the kernel for the process every time."""
        return asyncio.get_running_loop()

    async def add(self, kind: str, body: Mapping[str, object], key: str | None) -> Recorded:
        """Returns when the entry is durable.

        Raises LedgerFull or EntryInvalid: nothing written; StorageFailed or LedgerStopped: unknown, repeat with
        the same key.
        """
        if key is not None and not (1 <= len(key) <= MAX_KEY and key.isprintable()):
            raise EntryInvalid("key")
        if len(self._queue) >= QUEUE_LIMIT:
            raise LedgerFull("too many entries wait for their commit")
        recorded: asyncio.Future[Recorded] = self._loop.create_future()
        self._queue.append((Wanted(kind, body, key), recorded))
        self._arrived.set()
        return await recorded

    async def run(self) -> None:
        """Works until cancelled, or until LedgerReadOnly or HeadConflict says that it must not go on."""
        while True:
            await self._wait_for_work()
            batch = [self._queue.popleft() for _ in range(min(BATCH_LIMIT, len(self._queue)))]
            await self._record([pending for pending in batch if not pending[1].done()])

    def refuse_all(self, error: LedgerError) -> None:
        """Tells everybody who waits; called when `run` has ended."""
        while self._queue:
            _settle(self._queue.popleft()[1], error)

    async def _wait_for_work(self) -> None:
        """Until something arrived. Without a history (at the start, after a failed commit) reading it is work too."""
        while not self._queue and self._chain is not None:
            self._arrived.clear()
            await self._arrived.wait()

    async def _record(self, batch: Sequence[_Pending]) -> None:
        try:
            outcomes = await self._loop.run_in_executor(self._executor, self._commit, batch)
            self._settled = True
        except LedgerError as error:
            self._settled = False
            _log.error("commit failed", code=type(error).__name__, detail=str(error), entries=len(batch))
            if isinstance(error, LedgerReadOnly | HeadConflict):
                self._queue.extendleft(reversed(batch))  # for `refuse_all`, once the log has become read-only
                raise
            for _, waiting in batch:
                _settle(waiting, error)
            if not batch:  # not even reading the history again succeeded
                await asyncio.sleep(RELOAD_SECONDS)
            return
        except BaseException:
            self._queue.extendleft(reversed(batch))
            raise
        for (_, waiting), outcome in zip(batch, outcomes, strict=True):
            _settle(waiting, outcome)
        if self._chain is not None:
            self._grown(self._chain.size)

    def _commit(self, batch: Sequence[_Pending]) -> Sequence[Recorded | LedgerError]:
        """In the writing thread: one transaction."""
        chain = self._load() if self._chain is None else self._chain
        # From here until the commit is known to have succeeded, memory is not to be continued from.
        self._chain = None
        wanted = [entry for entry, _ in batch]
        keys = [entry.key for entry in wanted if entry.key is not None]
        known = self._storage.find_keys(keys) if keys else {}
        draft = make_draft(chain, wanted, known, self._clock)
        if draft.batch.records:
            self._storage.append(Head(chain.size, chain.last), draft.batch)
        self._chain = draft.grown
        return draft.outcomes
