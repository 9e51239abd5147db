"""Randomizers made ahead, so that encrypting online is one multiplication of |n| bits.

Spec: design 2 "Randomizer pool". Rules, each of which a repeated randomizer would break (two ciphertexts
under one randomizer show the difference of their plaintexts):
  1. a value leaves the pool before it is used, and is never put back, also when encryption fails afterwards;
  2. values are never persisted: a pool cannot be pickled or copied;
  3. a forked child starts with an empty pool, and a pool also compares process ids before every use;
  4. after a machine snapshot was restored, call `clear()` first (an adapter's workers are spawned anew, so
     they start empty): a process cannot notice on its own that it runs twice;
  5. an empty pool computes inline.

Who fills it: `fill`, a thread of this process (`start`), or a process of its own (`paillier.randomizer_worker`).
Left out: sharing one pool between processes. Thread-safety: every method may be called from any thread.
"""

import os
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from typing import NoReturn

from paillier.encryption import Encryptor, check_plaintexts, pack_column
from paillier.errors import ParameterOutOfRange
from paillier.nadic import Pair

DEFAULT_CAPACITY = 1024
"""randomizers; 0.9 MB at 3072 bits, made in about two seconds."""

STOP_TIMEOUT_SECONDS = 10.0
"""Longest wait for the filling thread; one randomizer takes milliseconds."""

_POOLS: "weakref.WeakSet[RandomizerPool]" = weakref.WeakSet()


class RandomizerPool:
    """Single-use randomizers of one encryptor, filled by `fill` or by a background thread."""

    _process_id: int
    _changed: threading.Condition
    _ready: deque[Pair]
    _generation: int
    _thread: threading.Thread | None
    _stopping: bool

    def __init__(self, encryptor: Encryptor, capacity: int = DEFAULT_CAPACITY) -> None:
        """`capacity` counts randomizers of 2·|n| bits each; `ParameterOutOfRange` below one."""
        if capacity < 1:
            raise ParameterOutOfRange("a pool must hold at least one randomizer")
        self.encryptor = encryptor
        self.capacity = capacity
        self._reset_after_fork()
        _POOLS.add(self)

    def __len__(self) -> int:
        self._leave_parent()
        with self._changed:
            return len(self._ready)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a randomizer pool is never copied or persisted")

    def fill(self, count: int | None = None) -> int:
        """Make up to `count` randomizers (default: as many as fit) and return how many were added."""
        self._leave_parent()
        added = 0
        while (count is None or added < count) and self._add_one():
            added += 1
        return added

    def encrypt(self, values: Sequence[int]) -> bytes:
        """Like `Encryptor.encrypt`, with ready randomizers while there are any; a refusal uses none up."""
        check_plaintexts(values, self.encryptor.public_key)
        return pack_column(((self.take(), value) for value in values), self.encryptor.public_key)

    def take(self) -> Pair:
        """Remove and return a randomizer; computes one when none is ready. Use it for one encryption only."""
        self._leave_parent()
        with self._changed:
            if self._ready:
                self._changed.notify()
                return self._ready.popleft()
        return self.encryptor.randomizer()

    def wait_for_room(self, timeout: float) -> bool:
        """True once the pool holds less than its capacity; False after `timeout` seconds."""
        self._leave_parent()
        with self._changed:
            return self._changed.wait_for(lambda: len(self._ready) < self.capacity, timeout)

    def put(self, fresh: Pair) -> bool:
        """Take in a randomizer that was made elsewhere, never used and never put before; False when there is no room.

        Only `paillier.randomizer_worker` calls this.
        """
        self._leave_parent()
        with self._changed:
            if len(self._ready) >= self.capacity:
                return False
            self._ready.append(fresh)
            return True

    def clear(self) -> None:
        """Forget every ready randomizer; to be called after a snapshot was restored."""
        self._leave_parent()
        with self._changed:
            self._generation += 1
            self._ready.clear()
            self._changed.notify()

    def start(self) -> None:
        """Keep the pool full from a daemon thread; does nothing when it already runs."""
        self._leave_parent()
        with self._changed:
            if self._thread is not None:
                return
            self._stopping = False
            self._thread = threading.Thread(target=self._keep_full, name="randomizer-pool", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for it; ready randomizers stay usable."""
        self._leave_parent()
        with self._changed:
            thread, self._thread = self._thread, None
            self._stopping = True
            self._changed.notify_all()
        if thread is not None:
            thread.join(STOP_TIMEOUT_SECONDS)

    def _keep_full(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or len(self._ready) < self.capacity)
                if self._stopping:
                    return
            self._add_one()

    def _add_one(self) -> bool:
        """Compute outside the lock; drop the result when the pool was cleared or filled meanwhile."""
        with self._changed:
            generation = self._generation
            if len(self._ready) >= self.capacity:
                return False
        made = self.encryptor.randomizer()
        with self._changed:
            if generation != self._generation or len(self._ready) >= self.capacity:
                return False
            self._ready.append(made)
            return True

    def _leave_parent(self) -> None:
        """Rule 3 for forks that bypass Python's hook (a C library calling fork)."""
        if self._process_id != os.getpid():
            self._reset_after_fork()

    def _reset_after_fork(self) -> None:
        """A new lock as well: the parent's may have been held by a thread that does not exist here."""
        self._process_id = os.getpid()
        self._changed = threading.Condition()
        self._ready = deque()
        self._generation = 0
        self._thread = None
        self._stopping = False


def _empty_pools_in_child() -> None:
    for pool in list(_POOLS):
        pool._reset_after_fork()


os.register_at_fork(after_in_child=_empty_pools_in_child)
