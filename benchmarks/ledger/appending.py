"""Appending through the ledger's own sequencer, as many tasks at once, and growing a log in bulk."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from benchmarks.ledger.samples import quantile
from benchmarks.ledger.workload import ORIGIN, Keys, Wanted, Workload
from ledger.chain import Chain
from ledger.entry import assemble, format_time, leaf_hash, new_nonces
from ledger.log import Log, LogParts
from ledger.sequencer import Sequencer
from ledger.storage.interface import Batch, Head, LogStorage, Record
from ledger.tree import load_frontier
from ledger.witness import Witness, utc_now

BULK = 2048
"""Entries in one commit while a log is grown: nobody waits for them."""
MONTH_SECONDS = 30 * 86_400
SETTLE_SECONDS = 0.75


@dataclass(frozen=True)
class Appended:
    """`latencies` in seconds, one for each entry."""

    rate: float
    latencies: list[float]

    def quantile(self, share: float) -> float:
        """So large a share of the callers waited no longer."""
        return quantile(self.latencies, share)


def stored_chain(storage: LogStorage) -> Chain:
    """The history as stored. Not verified: the ledger itself does that (ledger.head_signer)."""
    head = storage.head()
    return Chain(ORIGIN, head.last, load_frontier(head.size, storage.nodes))


def sequence(storage: LogStorage, work: Workload, entries: int, writers: int) -> Appended:
    """Durable appends: every writer waits for its entry before it sends the next."""
    with ThreadPoolExecutor(1) as executor:
        sequencer = Sequencer(storage, lambda: stored_chain(storage), utc_now, executor, lambda _: None)
        return asyncio.run(_sequence(sequencer, [next(work) for _ in range(entries)], writers))


async def _sequence(sequencer: Sequencer, wanted: list[Wanted], writers: int) -> Appended:
    running = asyncio.create_task(sequencer.run())

    async def append(item: Wanted) -> object:
        return await sequencer.add(item.kind, item.body, item.key)

    try:
        return await write(append, wanted, writers)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def write(append: Callable[[Wanted], Awaitable[object]], wanted: list[Wanted], writers: int) -> Appended:
    """So many tasks, each of which appends its next entry when the one before is there."""
    latencies: list[float] = []
    remaining = iter(wanted)

    async def one_writer() -> None:
        for item in remaining:
            begun = time.perf_counter()
            await append(item)
            latencies.append(time.perf_counter() - begun)

    gc.freeze()  # what is going to be asked for: a ledger does not have it in memory, to be looked through for garbage
    try:
        begun = time.perf_counter()
        await asyncio.gather(*(one_writer() for _ in range(writers)))
        return Appended(len(wanted) / (time.perf_counter() - begun), latencies)
    finally:
        gc.unfreeze()


class _InProcessWitness:
    """A witness without a network: its own file, verified and synchronised as everywhere."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def add_checkpoint(self, old_size: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
        """As WitnessPort."""
        return await asyncio.to_thread(self._witness.add_checkpoint, old_size, proof, checkpoint)


def settle() -> None:
    """Lets the index catch up (it does so after a quarter of a second): its work is not another turn's burden."""
    time.sleep(SETTLE_SECONDS)


def receipts(
    open_storage: Callable[[], LogStorage], folder: Path, work: Workload, counts: dict[int, int]
) -> dict[int, Appended]:
    """Whole appends, until the receipt under a cosigned checkpoint is in hand; `counts`: writers → entries."""

    keys = Keys()
    folder.mkdir()

    async def run() -> dict[int, Appended]:
        witness = _InProcessWitness(Witness(keys.witness, keys.policy.logs, folder / "witness.state"))
        parts = LogParts(keys.log, keys.policy, open_storage(), folder / "second-place", {"bench": witness})
        log = Log(parts)
        running = asyncio.create_task(log.run())

        async def append(item: Wanted) -> object:
            return await log.append(item.kind, item.body, item.key)

        try:
            return {
                writers: await write(append, [next(work) for _ in range(entries)], writers)
                for writers, entries in counts.items()
            }
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    return asyncio.run(run())


def grow(storage: LogStorage, work: Workload, size: int, progress: Callable[[int, int], None] | None = None) -> None:
    """Until the log has `size` entries, whose times are spread over the month before now."""
    chain = stored_chain(storage)
    first, step = datetime.now(UTC).timestamp() - MONTH_SECONDS, MONTH_SECONDS / size
    while chain.size < size:
        wanted = list(islice(work, min(BULK, size - chain.size)))
        records: list[Record] = []
        last = chain.last
        for seq, item in enumerate(wanted, start=chain.size):
            moment = datetime.fromtimestamp(first + seq * step, UTC)
            leaf = assemble(ORIGIN, seq, last, format_time(moment), item.kind, new_nonces(1)[0], item.body)
            digest = leaf_hash(leaf)
            last = digest.hex()
            records.append(Record(leaf, digest, item.key))
        frontier, nodes = chain.frontier.extend(record.leaf_hash for record in records)
        storage.append(Head(chain.size, chain.last), Batch(records, nodes, Head(frontier.size, last)))
        chain = Chain(ORIGIN, last, frontier)
        if progress is not None:
            progress(chain.size, size)
