"""Throughput of `paillier.workers` at one process and at one per core."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Iterator

from paillier.packing import SlotLayout
from paillier.public_key import PublicKey
from paillier.workers import Block, EncryptionWorkers

REPEATS = 3
"""turns of both, one after the other; the median of their ratios counts."""


def per_core(public_key: PublicKey, blocks: int, columns: int) -> float:
    """Rate at all cores / (rate at one · cores): 1 is perfect; 1 also on a machine with one core."""
    cores = len(os.sched_getaffinity(0))
    layout = SlotLayout.for_key(public_key, 43)
    with EncryptionWorkers(public_key, 1) as one, EncryptionWorkers(public_key, cores) as everything:
        for workers in (one, everything):
            workers.warm_up()
            list(workers.encrypt_blocks(layout, _blocks(layout, cores, columns)))
        return statistics.median(
            _blocks_per_second(everything, layout, blocks * cores, columns)
            / (_blocks_per_second(one, layout, blocks, columns) * cores)
            for _ in range(REPEATS)
        )


def _blocks_per_second(workers: EncryptionWorkers, layout: SlotLayout, blocks: int, columns: int) -> float:
    """Blocks of `columns` full ciphertexts per second, tables built beforehand."""
    start = time.perf_counter()
    list(workers.encrypt_blocks(layout, _blocks(layout, blocks, columns)))
    return blocks / (time.perf_counter() - start)


def _blocks(layout: SlotLayout, count: int, columns: int) -> Iterator[Block]:
    source = random.Random(5)
    for _ in range(count):
        yield [[source.randrange(1 << 20) for _ in range(layout.slots)] for _ in range(columns)]
