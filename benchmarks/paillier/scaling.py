"""Throughput of `paillier.workers` at one process and at one per core."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

from paillier.packing import SlotLayout
from paillier.public_key import PublicKey
from paillier.workers import Block, EncryptionWorkers


def blocks_per_second(public_key: PublicKey, processes: int, blocks: int, columns: int) -> float:
    """Blocks of `columns` full ciphertexts per second, tables built beforehand."""
    layout = SlotLayout.for_key(public_key, 43)
    with EncryptionWorkers(public_key, processes) as workers:
        workers.warm_up()
        list(workers.encrypt_blocks(layout, _blocks(layout, processes, columns)))
        start = time.perf_counter()
        list(workers.encrypt_blocks(layout, _blocks(layout, blocks, columns)))
        return blocks / (time.perf_counter() - start)


def per_core(public_key: PublicKey, blocks: int, columns: int) -> float:
    """Rate at all cores / (rate at one · cores): 1 is perfect; 1 also on a machine with one core."""
    cores = len(os.sched_getaffinity(0))
    one = blocks_per_second(public_key, 1, blocks, columns)
    everything = blocks_per_second(public_key, cores, blocks * cores, columns)
    return everything / (one * cores)


def _blocks(layout: SlotLayout, count: int, columns: int) -> Iterator[Block]:
    source = random.Random(5)
    for _ in range(count):
        yield [[source.randrange(1 << 20) for _ in range(layout.slots)] for _ in range(columns)]
