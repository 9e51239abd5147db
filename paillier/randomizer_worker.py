"""A process that makes randomizers for a pool while its core has nothing better to do.

Spec: design 2 "Randomizer pool": filled while idle; workers are spawned. The process runs at the lowest priority,
makes randomizers with its own tables and sends each once through a pipe of its own; a thread of the parent moves them
into the pool. The pipe is bounded, and so is the pool: a full pool leaves the worker waiting, not computing.

Single use across every border:
  fork      the child's pool is emptied by `paillier.randomizer_pool`, and the thread that reads the pipe does not exist
            there, so nobody but the parent reads what the worker sends;
  spawn     a worker draws its own randomness from the system and shares nothing;
  crash     a randomizer half received is lost, never used: a message is taken whole or not at all;
  snapshot  `clear` ends the worker together with whatever stands in its pipe, then starts a new one.

Left out: several workers per pool (one fills a pool of 1,024 in two seconds). Thread-safety: every method may be
called from any thread.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from gmpy2 import mpz

from paillier.encryption import Encryptor, table_bytes
from paillier.nadic import Pair
from paillier.public_key import PublicKey
from paillier.randomizer_pool import RandomizerPool

LOWEST_PRIORITY = 19
"""nice value: anything else that wants the core gets it."""

STOP_SECONDS = 10.0
"""Longest wait for process and thread to end; both are waiting, or busy for milliseconds."""


class RandomizerWorker:
    """Keeps one pool full from another process; use as a context, or `start` and `stop`."""

    def __init__(self, pool: RandomizerPool) -> None:
        """Nothing runs before `start`; the process builds tables with the window of the pool's encryptor."""
        self._pool = pool
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the process unless it runs; one that died before is replaced."""
        with self._lock:
            if self._running is None or not self._running.alive():
                self._end()
                self._running = _Running(self._pool)

    def stop(self) -> None:
        """Ends the process; what the pool holds already stays usable."""
        with self._lock:
            self._end()

    def clear(self) -> None:
        """After a snapshot was restored: forgets what the pool and the pipe hold, and goes on with a new process."""
        with self._lock:
            running = self._running is not None
            self._end()
            self._pool.clear()
            if running:
                self._running = _Running(self._pool)

    def _end(self) -> None:
        if self._running is not None:
            self._running.end()
            self._running = None


class _Running:
    """One process, its pipe and the thread that empties it."""

    def __init__(self, pool: RandomizerPool) -> None:
        context = multiprocessing.get_context("spawn")
        self._reader, writer = context.Pipe(duplex=False)
        encryptor = pool.encryptor
        self._process = context.Process(
            target=_produce, args=(writer, int(encryptor.public_key.n), encryptor.window), daemon=True
        )
        self._process.start()
        writer.close()
        self._owner = os.getpid()
        self._thread = threading.Thread(target=self._feed, args=(pool,), name="randomizer-feed", daemon=True)
        self._stopping = False
        self._thread.start()

    def alive(self) -> bool:
        return os.getpid() == self._owner and self._process.is_alive() and self._thread.is_alive()

    def end(self) -> None:
        """Ends both; in a forked child there is neither, and the parent's process is not ours to end."""
        if os.getpid() != self._owner:
            return
        self._stopping = True
        self._process.kill()
        self._process.join(STOP_SECONDS)
        self._thread.join(STOP_SECONDS)
        self._reader.close()

    def _feed(self, pool: RandomizerPool) -> None:
        width = pool.encryptor.public_key.bits // 8
        while not self._stopping:
            if not pool.wait_for_room(timeout=0.2):
                continue
            try:
                data = self._reader.recv_bytes(2 * width)
            except (EOFError, OSError):
                return
            pool.put(_to_pair(data, width))


def _to_pair(data: bytes, width: int) -> Pair:
    return mpz(int.from_bytes(data[:width], "big")), mpz(int.from_bytes(data[width:], "big"))


def _produce(writer: Connection, n: int, window: int) -> None:
    """Runs in the worker: one message per randomizer, both digits at fixed width, until the pipe closes."""
    os.nice(LOWEST_PRIORITY)
    public_key = PublicKey(mpz(n))
    encryptor = Encryptor(public_key, window=window, memory_budget_bytes=table_bytes(public_key, window))
    width = public_key.bits // 8
    try:
        while True:
            low, high = encryptor.randomizer()
            writer.send_bytes(int(low).to_bytes(width, "big") + int(high).to_bytes(width, "big"))
    except BrokenPipeError:
        return
