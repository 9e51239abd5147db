"""A process that makes randomizers for a pool while its core has nothing better to do.

Spec: design 2 "Randomizer pool": filled while idle. The process (`paillier.randomizer_producer`) runs at the lowest
priority from its first moment, makes randomizers with tables of its own and sends each once through a pipe; a thread of
the parent moves them into the pool. The pipe is bounded, and so is the pool: a full pool leaves the worker waiting, not
computing. While a request empties the pool faster than that, the request computes in its own thread and the worker on
another core.

The process is a fresh interpreter that imports this package and nothing else: not `multiprocessing`, whose spawned
processes import the main module of the program again, which for a server is a second of processor time.

Single use across every border:
  fork      the child's pool is emptied by `paillier.randomizer_pool`, and the thread that reads the pipe does not exist
            there, so nobody but the parent reads what the worker sends;
  spawn     a worker draws its own randomness from the system and shares nothing;
  crash     a randomizer half received is lost, never used: a message is taken whole or not at all;
  snapshot  `clear` ends the worker together with whatever stands in its pipe, then starts a new one.
A worker whose parent was killed ends when it next writes: its pipe has no reader any more.

Left out: several workers per pool (one fills a pool of 1,024 in two seconds). Thread-safety: every method may be
called from any thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from io import FileIO
from types import TracebackType
from typing import Self, cast

from gmpy2 import mpz

from paillier.nadic import Pair
from paillier.randomizer_pool import RandomizerPool

LOWEST_PRIORITY = 19
"""nice value: anything else that wants the core gets it."""

STOP_SECONDS = 10.0
"""Longest wait for process and thread to end; both are waiting, or busy for milliseconds."""

BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "from paillier.randomizer_producer import main; main()"
)
"""Takes the parent's search path first, so that both run the same package."""


class RandomizerWorker:
    """Keeps one pool full from another process; use as a context, or `start` and `stop`."""

    def __init__(self, pool: RandomizerPool, window: int | None = None) -> None:
        """Nothing runs before `start`; the process builds tables of `window` bits (default: the pool's encryptor's)."""
        self._pool = pool
        self._window = pool.encryptor.window if window is None else window
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
        """Starts the process unless it runs; one that died before is replaced. Raises OSError when none can start."""
        with self._lock:
            if self._running is None or not self._running.alive():
                self._end()
                self._running = _Running(self._pool, self._window)

    def stop(self) -> None:
        """Ends the process; what the pool holds already stays usable."""
        with self._lock:
            self._end()

    def alive(self) -> bool:
        """Whether the process runs; False in a forked child."""
        with self._lock:
            return self._running is not None and self._running.alive()

    def clear(self) -> None:
        """After a snapshot was restored: forgets what the pool and the pipe hold, and goes on with a new process."""
        with self._lock:
            running = self._running is not None
            self._end()
            self._pool.clear()
            if running:
                self._running = _Running(self._pool, self._window)

    def _end(self) -> None:
        if self._running is not None:
            self._running.end()
            self._running = None


class _Running:
    """One process, its pipe and the thread that empties it."""

    def __init__(self, pool: RandomizerPool, window: int) -> None:
        self._owner = os.getpid()
        self._stopping = False
        # A group of its own: Ctrl-C at a terminal is for the parent, which ends this process in its own time.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", BOOTSTRAP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            process_group=0,
        )
        self._reader = cast(FileIO, self._process.stdout)
        self._thread = threading.Thread(target=self._feed, args=(pool,), name="randomizer-feed", daemon=True)
        self._thread.start()
        try:
            os.setpriority(os.PRIO_PROCESS, self._process.pid, LOWEST_PRIORITY)
            with cast(FileIO, self._process.stdin) as standard_input:
                standard_input.write(_order(pool, window))
        except OSError:
            self.end()
            raise

    def alive(self) -> bool:
        return os.getpid() == self._owner and self._process.poll() is None and self._thread.is_alive()

    def end(self) -> None:
        """Ends both; in a forked child there is neither, and the parent's process is not ours to end."""
        if os.getpid() != self._owner:
            return
        self._stopping = True
        self._process.kill()
        self._process.wait(STOP_SECONDS)
        self._thread.join(STOP_SECONDS)
        self._reader.close()

    def _feed(self, pool: RandomizerPool) -> None:
        width = pool.encryptor.public_key.bits // 8
        while not self._stopping:
            if not pool.wait_for_room(timeout=0.2):
                continue
            message = self._receive(2 * width)
            if message is None:
                return
            pool.put(_to_pair(message, width))

    def _receive(self, size: int) -> bytes | None:
        """One whole message; None when the process has ended, whatever part of one it left."""
        parts = b""
        while len(parts) < size:
            part = self._reader.read(size - len(parts))
            if not part:
                return None
            parts += part
        return parts


def _order(pool: RandomizerPool, window: int) -> bytes:
    """What the process reads first: the search path, then what `paillier.randomizer_producer` asks for."""
    parameters = {"modulus": f"{int(pool.encryptor.public_key.n):x}", "window": window}
    return f"{json.dumps(sys.path)}\n{json.dumps(parameters)}\n".encode()


def _to_pair(data: bytes, width: int) -> Pair:
    return mpz(int.from_bytes(data[:width], "big")), mpz(int.from_bytes(data[width:], "big"))
