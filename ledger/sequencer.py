"""The one writer: gives entries their sequence numbers and stores them in batches.

Natural batching: whatever arrived during the last commit goes into the next, at most 256; nobody waits for a batch to
fill. While one batch is on its way to the disk the next is drafted (keys looked up, leaves encoded and hashed), on the
assumption that the commit succeeds; when it does not, the draft is forgotten and its entries wait again. At most one
commit is under way, and nothing is stored, or told to anybody, before all that precedes it is durable.

The queue is bounded, and what does not fit is refused with nothing written. A failed commit is never continued from
memory: what the storage kept is read again, verified, before anything else is written. Idempotency keys are looked up
in the storage for every batch, so a repeat finds its entry also when the answer was lost in a crash; keys of the batch
that is being committed meanwhile are known from its draft.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog

from ledger.chain import Chain
from ledger.draft import Draft, Recorded, Wanted, make_draft
from ledger.errors import EntryInvalid, HeadConflict, LedgerError, LedgerFull, LedgerReadOnly
from ledger.storage.interface import MAX_KEY, LogStorage

__all__ = ["BATCH_LIMIT", "QUEUE_LIMIT", "Recorded", "Sequencer", "Threads"]

QUEUE_LIMIT = 4096
"""Entries that may wait for a commit; at 16 KiB a leaf at most 64 MiB."""
BATCH_LIMIT = 256
"""Entries in one transaction: beyond it throughput hardly grows, and the wait of the first does."""
SPLIT_FROM = 16
"""So many waiting entries are worth two batches, of which one is drafted while the other is committed."""
RELOAD_SECONDS = 1.0
"""Between two attempts to read the history again after a failed commit."""

_log = structlog.get_logger("ledger.sequencer")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Threads:
    """Where the work is done; `writing` has one thread, in which alone the storage is written."""

    writing: Executor
    drafting: Executor


@dataclass(eq=False)
class _Pending:
    wanted: Wanted
    outcome: asyncio.Future[Recorded]

    def settle(self, outcome: Recorded | LedgerError) -> None:
        """Tells the caller, unless it has gone."""
        if self.outcome.done():
            return
        if isinstance(outcome, Recorded):
            self.outcome.set_result(outcome)
        else:
            self.outcome.set_exception(outcome)


@dataclass(frozen=True)
class _Planned:
    """A draft, who waits for it, and how long it took to make."""

    draft: Draft
    batch: Sequence[_Pending]
    seconds: float


class Sequencer:
    """`add` from any task of one loop while `run` runs."""

    def __init__(
        self,
        storage: LogStorage,
        load: Callable[[], Chain],
        clock: Callable[[], datetime],
        threads: Threads,
        grown: Callable[[int], None],
    ) -> None:
        """`load` reads the verified history; `grown` is told the new size after each commit."""
        self._storage = storage
        self._load = load
        self._clock = clock
        self._threads = threads
        self._grown = grown
        self._queue: deque[_Pending] = deque()
        self._changed = asyncio.Event()
        self._chain: Chain | None = None
        self._under_way: _Planned | None = None
        self._commit: asyncio.Task[None] | None = None
        self._is_drafting_slow = True

    @property
    def is_settled(self) -> bool:
        """False before the first load and from a failed commit until the history was read again."""
        return self._chain is not None or self._under_way is not None

    async def add(self, kind: str, body: Mapping[str, object], key: str | None) -> Recorded:
        """Returns when the entry is durable.

        Raises LedgerFull or EntryInvalid: nothing written; StorageFailed or LedgerStopped: unknown, repeat with
        the same key.
        """
        if key is not None and not (1 <= len(key) <= MAX_KEY and key.isprintable()):
            raise EntryInvalid("key")
        if len(self._queue) >= QUEUE_LIMIT:
            raise LedgerFull("too many entries wait for their commit")
        pending = _Pending(Wanted(kind, body, key), asyncio.get_running_loop().create_future())
        self._queue.append(pending)
        self._changed.set()
        return await pending.outcome

    async def run(self) -> None:
        """Works until cancelled, or until LedgerReadOnly or HeadConflict says that it must not go on."""
        try:
            while True:
                await self._wait_for_work()
                await self._advance(self._take())
        finally:
            # What is being written is waited for: those who asked for it hear what became of it.
            if self._commit is not None:
                await asyncio.gather(self._commit, return_exceptions=True)

    def refuse_all(self, error: LedgerError) -> None:
        """Tells everybody who waits; called when `run` has ended."""
        while self._queue:
            self._queue.popleft().settle(error)

    async def _wait_for_work(self) -> None:
        """Until something arrived. Reading the history is work too: at the start, and after a failed commit."""
        while not self._queue:
            # First of all: whatever changes from here on, also while a commit is finished, must end the waiting below.
            self._changed.clear()
            await self._finish_commit(only_if_done=True)
            if self._chain is None and self._commit is None:
                return
            await self._changed.wait()

    def _take(self) -> list[_Pending]:
        """The next batch. When many wait and no commit is under way, half of them: the others are drafted while these
        are committed. Not where the disk is slow: two commits then cost more than drafting beside them saves.
        """
        count = len(self._queue)
        if count >= SPLIT_FROM and self._under_way is None and self._is_drafting_slow:
            count = (count + 1) // 2
        taken = [self._queue.popleft() for _ in range(min(BATCH_LIMIT, count))]
        return [pending for pending in taken if not pending.outcome.done()]

    async def _advance(self, batch: Sequence[_Pending]) -> None:
        """1. drafts the batch, 2. waits for the commit before it, 3. begins to commit it."""
        try:
            # 1.
            planned = await self._plan(batch)
            # 2.
            await self._finish_commit()
        except BaseException:
            self._queue.extendleft(reversed(batch))  # for `refuse_all`
            raise
        if planned is None:
            return
        if planned.draft.start is not self._chain:  # what it builds on has failed
            self._queue.extendleft(reversed(batch))
            return
        # 3.
        self._under_way = planned
        self._commit = asyncio.create_task(self._record(planned))
        self._commit.add_done_callback(lambda _: self._changed.set())

    async def _plan(self, batch: Sequence[_Pending]) -> _Planned | None:
        """A draft on top of what is under way; None when it failed and those who wait were told."""
        try:
            await self._finish_commit(only_if_done=True)
            before = None if self._under_way is None else self._under_way.draft
            start = await self._history() if before is None else before.grown
            return await self._in_thread(self._threads.drafting, partial(self._draft, start, before, batch))
        except LedgerError as error:
            if not self._tell_failure(batch, error):
                raise
            if not batch:  # not even reading the history again succeeded
                await asyncio.sleep(RELOAD_SECONDS)
            return None

    async def _history(self) -> Chain:
        if self._chain is None:
            self._chain = await self._in_thread(self._threads.writing, self._load)
            self._grown(self._chain.size)
        return self._chain

    def _draft(self, start: Chain, before: Draft | None, batch: Sequence[_Pending]) -> _Planned:
        """In the drafting thread."""
        begun = time.perf_counter()
        keys = [pending.wanted.key for pending in batch if pending.wanted.key is not None]
        known = dict(self._storage.find_keys(keys)) if keys else {}
        if before is not None:
            known.update((key, before.keys[key]) for key in keys if key in before.keys)
        draft = make_draft(start, [pending.wanted for pending in batch], known, self._clock)
        return _Planned(draft, batch, time.perf_counter() - begun)

    async def _finish_commit(self, *, only_if_done: bool = False) -> None:
        """Waits for what is under way; raises when the work must end."""
        commit = self._commit
        if commit is not None and (commit.done() or not only_if_done):
            if not commit.done():
                await asyncio.wait([commit])
            self._commit = None
            commit.result()

    async def _record(self, planned: _Planned) -> None:
        """One transaction; then all who waited for it are told."""
        draft, begun = planned.draft, time.perf_counter()
        # From here until the commit is known to have succeeded, memory is not to be continued from.
        self._chain = None
        try:
            if draft.batch.records:
                await self._in_thread(self._threads.writing, partial(self._storage.append, draft.expected, draft.batch))
        except BaseException as error:
            if not self._tell_failure(planned.batch, error):
                self._queue.extendleft(reversed(planned.batch))  # for `refuse_all`
                raise
            return
        finally:
            self._under_way = None
        self._chain = draft.grown
        self._is_drafting_slow = time.perf_counter() - begun < 2 * planned.seconds
        for pending, outcome in zip(planned.batch, draft.outcomes, strict=True):
            pending.settle(outcome)
        self._grown(draft.grown.size)

    def _tell_failure(self, batch: Sequence[_Pending], error: BaseException) -> bool:
        """Tells those who wait for a batch that it failed; False when writing must end with this error."""
        if not isinstance(error, LedgerError):
            return False
        _log.error("commit failed", code=type(error).__name__, detail=str(error), entries=len(batch))
        if isinstance(error, LedgerReadOnly | HeadConflict):
            return False
        for pending in batch:
            pending.settle(error)
        return True

    async def _in_thread(self, executor: Executor, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(executor, work)
