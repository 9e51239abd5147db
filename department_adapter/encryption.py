"""Encryption under banks' keys, off the event loop and, as far as there is time, ahead of it.

A randomizer does not depend on data, so each active key has a pool of them (`paillier.randomizer_pool`). A process of
its own fills it at the lowest priority (`paillier.randomizer_worker`), with tables as wide as the budget allows. What a
request needs beyond its pool is computed in one thread of the adapter, while the process goes on filling on another
core: a long request has two.

The first request under a key waits for nothing wide. Its thread begins with tables that pay for themselves within one
request (0.1 s at 3072 bits), and `prepare` lets that happen while the request is still being checked. The process is
started once nothing is being asked. A key whose pool keeps running dry gets wider tables here too, as soon as what was
computed with the narrow ones would have paid for them. Without a process (`process = false`, or when none can be
started) the thread fills the pools, in small portions and only while idle.

Concurrency: one instance per process, used from its event loop. After a snapshot of the machine was restored, restart
the adapter: pools are never persisted.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import structlog

from department_adapter.config import EncryptionTable
from paillier.encryption import Encryptor, window_for
from paillier.public_key import PublicKey
from paillier.randomizer_pool import RandomizerPool
from paillier.randomizer_worker import RandomizerWorker

Result = TypeVar("Result")

FILL_PORTION = 4
"""randomizers made in one go, some milliseconds each: as long as a request may wait for the thread."""
FIRST_REQUEST = 32
"""ciphertexts of a usual request: for so many the first tables are made."""
WIDER = 2
"""bits of window that a rebuilding must gain: each costs twice as much as the one before, so that few are made."""
WORKER_LIFE = 1 << 11
"""randomizers of a process until its tables have paid for themselves, within the budget: some hundred requests."""
RESTART_SECONDS = 60.0
"""between two starts of a process for one key: one that dies at once must not keep a core busy with starting."""

_log = structlog.get_logger("department_adapter.encryption")


class ActiveKey:
    """Pool, process and tables of one key. Used by one thread at a time, but for `pool`, which locks."""

    def __init__(self, key: PublicKey, settings: EncryptionTable) -> None:
        """Builds the first tables; nothing runs yet."""
        self._key = key
        self._budget = settings.table_megabytes * 1024 * 1024
        self.pool = RandomizerPool(self._encryptor(FIRST_REQUEST), settings.pool)
        self._worker: RandomizerWorker | None = None
        if settings.process:
            self._worker = RandomizerWorker(self.pool, window_for(key, WORKER_LIFE, self._budget))
        self._started = -RESTART_SECONDS
        self._computed = FIRST_REQUEST

    def encrypt(self, positions: Sequence[int]) -> bytes:
        """Fixed-width ciphertexts, joined, in order; raises PlaintextOutOfRange with the index only."""
        self._computed += max(0, len(positions) - len(self.pool))
        return self.pool.encrypt(positions)

    def improve(self) -> bool:
        """One piece of idle work for this key; False when there is none."""
        if window_for(self._key, self._computed, self._budget) >= self.pool.encryptor.window + WIDER:
            self.pool.encryptor = self._encryptor(self._computed)
            return True
        if self._worker is not None and self._runs(self._worker):
            return False
        made = self.pool.fill(FILL_PORTION)
        self._computed += made
        return made > 0

    def close(self) -> None:
        """Ends the process and forgets the randomizers."""
        if self._worker is not None:
            self._worker.stop()
        self.pool.clear()

    def _encryptor(self, ciphertexts: int) -> Encryptor:
        window = window_for(self._key, ciphertexts, self._budget)
        return Encryptor(self._key, window=window, memory_budget_bytes=self._budget)

    def _runs(self, worker: RandomizerWorker) -> bool:
        """The process runs, if need be from now on; one that died is replaced, but not all the time."""
        if worker.alive():
            return True
        if time.monotonic() - self._started < RESTART_SECONDS:
            return False
        self._started = time.monotonic()
        try:
            worker.start()
        except OSError as error:
            _log.warning("no process for randomizers", detail=type(error).__name__)
            return False
        return True


class Encryption:
    """Encrypts positions; `keep_ready` is to run in the background."""

    def __init__(self, settings: EncryptionTable) -> None:
        self._settings = settings
        self._keys: OrderedDict[str, ActiveKey] = OrderedDict()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encryption")
        self._waiting = 0
        self._changed = asyncio.Event()

    @property
    def active_keys(self) -> int:
        """How many keys can be ready at the same time."""
        return self._settings.active_keys

    async def encrypt(self, key: PublicKey, positions: Sequence[int]) -> bytes:
        """Fixed-width ciphertexts, joined, in order; raises PlaintextOutOfRange with the index only."""
        self._waiting += 1
        try:
            return await self._run(lambda: self._active(key).encrypt(positions))
        finally:
            self._waiting -= 1
            self._changed.set()

    def prepare(self, key: PublicKey) -> None:
        """Begins with the tables of a key that will be asked for, and returns at once."""
        if key.key_id not in self._keys:
            self._thread.submit(self._active, key).add_done_callback(_note_failure)

    async def keep_ready(self) -> None:
        """Fills and widens while nothing is asked; never ends."""
        while True:
            self._changed.clear()
            while self._waiting == 0 and await self._run(self._improve):
                pass
            await self._changed.wait()

    def close(self) -> None:
        """Ends thread and processes; what the thread is doing is finished."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        for active in self._keys.values():
            active.close()

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _active(self, key: PublicKey) -> ActiveKey:
        """The key with its tables, made when it is not among the active ones; only the one thread comes here."""
        active = self._keys.get(key.key_id)
        if active is None:
            active = self._keys[key.key_id] = ActiveKey(key, self._settings)
            while len(self._keys) > self._settings.active_keys:
                self._keys.popitem(last=False)[1].close()
        self._keys.move_to_end(key.key_id)
        return active

    def _improve(self) -> bool:
        """A portion for the key that was used last and lacks something."""
        return any(active.improve() for active in reversed(self._keys.values()))


def _note_failure(done: Future[ActiveKey]) -> None:
    """What was asked ahead of time and failed is asked again by the request, which then gets the error."""
    if not done.cancelled() and done.exception() is not None:
        _log.warning("key not prepared", detail=type(done.exception()).__name__)
