"""What of the log may be read: everything below its newest cosigned checkpoint, and nothing beyond.

An entry that is durable but not yet witnessed is not shown to anybody: a reader could otherwise act on a history that
no witness ever saw. Everybody who waits for an entry waits here; their receipts are made together, since neighbours
share most of their proofs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import TypeVar

from ledger.checkpoint import Checkpoint
from ledger.entry import parse
from ledger.errors import ConsistencyInvalid, LedgerError, LedgerStopped, NotFound, QuorumNotMet
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.storage.interface import LogReader
from ledger.storage.searchable import SearchFilters
from ledger.tree import stored_consistency_proof, stored_inclusion_proofs

MAX_ANSWER_BYTES = 3 * 1024 * 1024
"""Leaves or receipts in one answer: a gRPC message has 4 MiB, and some room must be left."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Publication:
    """A cosigned checkpoint; `begun` is the monotonic time before the first witness was asked for it."""

    note: bytes
    checkpoint: Checkpoint
    begun: float


@dataclass(eq=False)
class _Waiter:
    seq: int
    not_before: float
    receipt: asyncio.Future[Receipt]

    def is_served_by(self, publication: Publication) -> bool:
        return self.seq < publication.checkpoint.size and publication.begun >= self.not_before


class Published:
    """Reads, from any task of one loop; the work is done in the executors' threads."""

    def __init__(self, storage: LogReader, executor: Executor, own_executor: Executor) -> None:
        """`own_executor` does what appends wait for, so that no search, however large, can hold them up."""
        self._storage = storage
        self._executor = executor
        self._own_executor = own_executor
        self._publication: Publication | None = None
        self._number = 0
        self._changed = asyncio.Event()
        self._waiting: list[_Waiter] = []
        self._deliveries: set[asyncio.Task[None]] = set()

    @property
    def newest(self) -> Publication | None:
        """None before the first cosigned checkpoint."""
        return self._publication

    def current(self) -> Publication:
        """The newest; raises QuorumNotMet while there is none."""
        if self._publication is None:
            raise QuorumNotMet("no checkpoint of this log was cosigned yet")
        return self._publication

    def publish(self, publication: Publication) -> None:
        """Serves everybody who waited for it."""
        self._publication = publication
        self._number += 1
        self._changed.set()
        self._changed = asyncio.Event()
        served = [waiter for waiter in self._waiting if waiter.is_served_by(publication)]
        self._waiting = [waiter for waiter in self._waiting if not waiter.is_served_by(publication)]
        if served:
            self._deliver(served, publication)

    def enrich(self, publication: Publication, note: bytes) -> None:
        """Replaces the note of this publication, while it is the newest, by one with more cosignatures; nobody is
        woken for that.
        """
        if self._publication is not None and self._publication.begun == publication.begun:
            self._publication = replace(publication, note=note)

    def refuse_all(self, error: LedgerError) -> None:
        """Tells everybody who waits that there will be no further checkpoint."""
        _refuse(self._waiting, error)
        self._waiting = []

    async def after(self, number: int) -> tuple[int, Publication]:
        """The newest publication once it is not number `number` any more (0: none seen), and its number."""
        while self._publication is None or self._number == number:
            await self._changed.wait()
        return self._number, self._publication

    async def await_receipt(self, seq: int, not_before: float) -> Receipt:
        """Receipt under the first checkpoint that holds `seq` and was begun at `not_before` (monotonic) or later."""
        waiter = _Waiter(seq, not_before, asyncio.get_running_loop().create_future())
        if self._publication is not None and waiter.is_served_by(self._publication):
            return (await self._own_receipts([seq], self._publication))[0]
        self._waiting.append(waiter)
        try:
            return await waiter.receipt
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    async def receipts(self, indices: Sequence[int]) -> list[Receipt]:
        """Receipts under the newest checkpoint; raises NotFound beyond it."""
        publication = self.current()
        return await self._read(lambda: _receipts(self._storage, indices, publication))

    async def inclusion_paths(self, leaves: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
        """The newest checkpoint's note, and the path of each of these leaves to its root; raises NotFound beyond it."""
        publication = self.current()
        return publication.note, await self._read(lambda: _paths(self._storage, leaves, publication))

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """Leaves of [start, end), cut off at the newest checkpoint and at MAX_ANSWER_BYTES, but at least one."""
        size = self.current().checkpoint.size
        return await self._read(lambda: within_bytes(self._storage.leaves(start, min(end, size)), len))

    async def consistency_proof(self, old_size: int, new_size: int) -> list[bytes]:
        """RFC 6962 consistency proof; raises ConsistencyInvalid for old > new, NotFound beyond what is published."""
        if old_size > new_size:
            raise ConsistencyInvalid("the new tree is smaller than the old one")
        if new_size > self.current().checkpoint.size:
            raise NotFound("there is no cosigned checkpoint of that size yet")
        return await self._read(partial(stored_consistency_proof, old_size, new_size, self._storage.nodes))

    async def stored_consistency_proof(self, old_size: int, new_size: int) -> list[bytes]:
        """The same for a head that is not cosigned yet: what its witnesses are shown."""
        work = partial(stored_consistency_proof, old_size, new_size, self._storage.nodes)
        return await _in_thread(self._own_executor, work)

    async def search(self, filters: SearchFilters, after_seq: int | None, limit: int) -> tuple[list[bytes], bool]:
        """Leaves in order; True when there are no more of them."""
        size = self.current().checkpoint.size
        found = await self._read(lambda: self._storage.search(filters, after_seq, limit))
        leaves = within_bytes([leaf for leaf in found if parse(leaf).seq < size], len)
        return leaves, len(leaves) == len(found) < limit

    async def subject_receipts(
        self, subjects: Sequence[str], after_seq: int | None, limit: int
    ) -> tuple[list[Receipt], int]:
        """Entries under any of the tokens, and the tree size up to which they are all that there are."""
        size = self.current().checkpoint.size
        if not subjects:
            return [], size
        leaves, complete = await self.search(SearchFilters(subjects=subjects), after_seq, limit)
        indices = [parse(leaf).seq for leaf in leaves]
        receipts = within_bytes(await self.receipts(indices), lambda receipt: len(receipt.leaf) + len(receipt.proof))
        cut = len(receipts) < len(leaves) or not complete
        return receipts, indices[len(receipts) - 1] + 1 if cut and receipts else size

    def _deliver(self, waiters: Sequence[_Waiter], publication: Publication) -> None:
        task = asyncio.create_task(self._make_receipts(waiters, publication))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _make_receipts(self, waiters: Sequence[_Waiter], publication: Publication) -> None:
        indices = [waiter.seq for waiter in waiters]
        try:
            receipts = await self._own_receipts(indices, publication)
        except (LedgerError, asyncio.CancelledError) as error:
            _refuse(waiters, error if isinstance(error, LedgerError) else LedgerStopped("the log was closed"))
            return
        for waiter, receipt in zip(waiters, receipts, strict=True):
            if not waiter.receipt.done():
                waiter.receipt.set_result(receipt)

    async def _own_receipts(self, indices: Sequence[int], publication: Publication) -> list[Receipt]:
        return await _in_thread(self._own_executor, partial(_receipts, self._storage, indices, publication))

    async def _read(self, work: Callable[[], Result]) -> Result:
        return await _in_thread(self._executor, work)


async def _in_thread(executor: Executor, work: Callable[[], Result]) -> Result:
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, work)
    except RuntimeError as error:  # the executor was shut down
        raise LedgerStopped("the log was closed") from error


def _refuse(waiters: Sequence[_Waiter], error: LedgerError) -> None:
    for waiter in waiters:
        if not waiter.receipt.done():
            waiter.receipt.set_exception(error)


def _receipts(storage: LogReader, indices: Sequence[int], publication: Publication) -> list[Receipt]:
    size = publication.checkpoint.size
    if any(index >= size for index in indices):
        raise NotFound("the newest cosigned checkpoint does not reach that entry")
    leaves = _leaves_at(storage, sorted(set(indices)))
    paths = stored_inclusion_proofs(leaves, size, storage.nodes)
    proofs = [TlogProof(index, tuple(paths[index]), publication.note).encode() for index in indices]
    return [Receipt(leaves[index], proof) for index, proof in zip(indices, proofs, strict=True)]


def _paths(storage: LogReader, leaves: Sequence[bytes], publication: Publication) -> list[list[bytes]]:
    size, indices = publication.checkpoint.size, [parse(leaf).seq for leaf in leaves]
    if any(index >= size for index in indices):
        raise NotFound("the newest cosigned checkpoint does not reach that entry")
    paths = stored_inclusion_proofs(indices, size, storage.nodes)
    return [paths[index] for index in indices]


def _leaves_at(storage: LogReader, indices: Sequence[int]) -> dict[int, bytes]:
    """Neighbours are read together."""
    if not indices:
        return {}
    gaps = [position for position, (left, right) in enumerate(pairwise(indices), 1) if right != left + 1]
    found: dict[int, bytes] = {}
    for begin, end in pairwise([0, *gaps, len(indices)]):
        run = indices[begin:end]
        found.update(zip(run, storage.leaves(run[0], run[-1] + 1), strict=True))
    return found


def within_bytes(items: list[Result], size: Callable[[Result], int]) -> list[Result]:
    """As many of the first items as fit one answer, but at least one."""
    total = 0
    for count, item in enumerate(items):
        total += size(item)
        if total > MAX_ANSWER_BYTES and count:
            return items[:count]
    return items
