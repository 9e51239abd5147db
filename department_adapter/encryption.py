"""Encryption under banks' keys, off the event loop: tables per active key, randomizers made while nothing is asked.

The tables of a key take 0.4 s and tens of megabytes (paillier/encryption.py), so only the most recently used keys keep
theirs. Randomizers do not depend on data: each key's pool is filled in small portions, and only while no request is
being encrypted, since both would compete for the same core. A pool that is empty computes inline.

Concurrency: one instance per process, used from its event loop; arithmetic runs in one thread, so that a burst of
requests cannot starve the loop of more than one core. After a snapshot of the machine was restored, restart the
process: pools are never persisted.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from department_adapter.config import EncryptionTable
from paillier.encryption import EncryptorCache
from paillier.public_key import PublicKey
from paillier.randomizer_pool import RandomizerPool

Result = TypeVar("Result")

FILL_PORTION = 4
"""randomizers made in one go, some milliseconds each: as long as a request may wait for the thread."""


class Encryption:
    """Encrypts positions; `keep_filled` is to run in the background."""

    def __init__(self, settings: EncryptionTable) -> None:
        self._settings = settings
        self._encryptors = EncryptorCache(
            settings.active_keys, memory_budget_bytes=settings.table_megabytes * 1024 * 1024
        )
        self._pools: OrderedDict[str, RandomizerPool] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encryption")
        self._waiting = 0
        self._changed = asyncio.Event()

    async def encrypt(self, key: PublicKey, positions: Sequence[int]) -> bytes:
        """Fixed-width ciphertexts, joined, in order; raises PlaintextOutOfRange with the index only."""
        self._waiting += 1
        try:
            return await self._run(lambda: self._pool(key).encrypt(positions))
        finally:
            self._waiting -= 1
            self._changed.set()

    async def keep_filled(self) -> None:
        """Fills the pools while idle; never ends."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._waiting == 0:
                if await self._run(self._fill) == 0:
                    break

    def close(self) -> None:
        """Ends the thread; what it is doing is finished."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _pool(self, key: PublicKey) -> RandomizerPool:
        """The key's pool, made when it is not among the active ones; only the one thread comes here."""
        pool = self._pools.get(key.key_id)
        if pool is None:
            pool = self._pools[key.key_id] = RandomizerPool(self._encryptors.get(key), self._settings.pool)
            while len(self._pools) > self._settings.active_keys:
                self._pools.popitem(last=False)
        self._pools.move_to_end(key.key_id)
        return pool

    def _fill(self) -> int:
        """A portion for the key that was used last and is not full; returns how many were made."""
        for pool in reversed(self._pools.values()):
            made = pool.fill(FILL_PORTION)
            if made:
                return made
        return 0
