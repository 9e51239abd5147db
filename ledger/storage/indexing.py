"""An index is kept behind its log, so that no append waits for it.

What is durable is the log: leaves, nodes, head. What is looked up in it (idempotency keys, search columns) can be made
from its rows at any time, so it is written afterwards, beside the appends and many entries at once: random keys then
cost an append nothing, however large the log is. Until an entry is indexed,

* its key is found in the memory of the one process that appends (`Indexing.find`), which holds what this process
  appended itself: when the log has anything else, that is indexed before a key is looked up;
* a key that is in neither is mostly known to be new without a look at the index (ledger.storage.key_filter);
* a search finds it by reading it (`ledger.search.leaf_matches`).

An index that cannot be written stops nothing at once; when MAX_LAG entries wait for it, appends fail.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import structlog

from ledger.errors import StorageFailed
from ledger.storage.interface import Record
from ledger.storage.key_filter import KeyFilter

ROUND = 4096
"""Entries for which a round of indexing is begun at once: many, since one costs a third in such company."""
MAX_ROUND = 8192
"""Most entries in one round."""
PAUSE_SECONDS = 0.25
"""Fewer entries than ROUND wait this long, and a failed round as long before it is tried again."""
MAX_LAG = 65_536
"""Most entries that may wait: their keys are in memory, and searches read them one by one."""
NICENESS = 10
"""Linux's, from 0 to 19. With more, an index on a machine whose cores are all busy would hardly move: at 10 a tenth of
a core is left to it, for some 10,000 entries a second.
"""
LAG_SECONDS = 10.0
"""How long an append waits for an index that is so far behind."""

_log = structlog.get_logger("ledger.storage")


def _give_way() -> None:
    """Whatever else has work goes first: a thread that wakes up to answer an append would otherwise wait for the end of
    this one's time slice, four milliseconds. Linux has a priority for each thread, and takes its number for it.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))


LookUp = Callable[[Sequence[str]], Mapping[str, int]]
"""Finds the seqs of keys in the index."""


class Index(Protocol):
    """What is kept behind a log. Used by one thread at a time."""

    def size(self) -> int:
        """How many of the log's entries, from the first on, are indexed. Never fewer later, unless the storage failed
        meanwhile.
        """
        ...

    def all_keys(self) -> Iterator[str]:
        """All keys that are indexed."""
        ...

    def extend(self, limit: int) -> int:
        """Indexes at most `limit` more of the entries that are stored, wholly or not at all; returns the new size.
        Raises StorageFailed.
        """
        ...

    def close(self) -> None:
        """Releases what it holds."""
        ...


class Indexing:
    """A thread that extends an index, and the keys of entries that it has not reached.

    All methods but `close` are called by the thread that appends.
    """

    def __init__(self, index: Index) -> None:
        """Indexes everything that the log has; raises StorageFailed, and then has closed the index."""
        self._index = index
        self._working = threading.Lock()
        self._due = threading.Event()
        self._stopped = threading.Event()
        self._recent: dict[str, int] = {}
        self._size = self._dropped = self._target = 0
        try:
            self._begin()
        except BaseException:
            index.close()
            raise
        self._thread = threading.Thread(target=self._run, name="ledger-index", daemon=True)
        self._thread.start()

    def find(self, keys: Sequence[str], size: int, look_up: LookUp) -> Mapping[str, int]:
        """The seq of each of these keys that a log of this size has: from memory, or from the index, where `look_up` is
        asked for what the filter cannot rule out. Raises StorageFailed.
        """
        if self._has_gap or size != self._target:  # e.g. an append that failed was kept, or somebody else appended
            self._begin()
        found = {key: self._recent[key] for key in keys if key in self._recent}
        unsure = [key for key in keys if key not in found and self._filter.may_have(key)]
        return {**found, **look_up(unsure)} if unsure else found

    def wait_for_room(self, size: int) -> None:
        """Before an append to a log of this size; raises StorageFailed when the index does not keep up."""
        patience = time.monotonic() + LAG_SECONDS
        while size - self._size > MAX_LAG:
            self._due.set()
            if time.monotonic() > patience:
                raise StorageFailed(f"the index is {size - self._size} entries behind and cannot be written")
            time.sleep(PAUSE_SECONDS / 10)

    def appended(self, start: int, records: Sequence[Record]) -> None:
        """After an append of these records, the first of which has the seq `start`."""
        self._drop_indexed()
        self._has_gap |= start != self._target
        keyed = [(record.key, seq) for seq, record in enumerate(records, start) if record.key]
        self._recent.update(keyed)
        for key, _ in keyed:
            self._filter.add(key)
        self._target = start + len(records)
        if self._target - self._size >= ROUND:
            self._due.set()

    def doubt(self) -> None:
        """After a failure of the storage, which may have come back with an older index (a standby)."""
        self._has_gap = True

    def close(self) -> None:
        """Indexes the rest, if that can be done, and ends the thread."""
        self._stopped.set()
        self._due.set()
        self._thread.join()
        with contextlib.suppress(StorageFailed):
            self._catch_up()
        self._index.close()

    def _begin(self) -> None:
        """Indexes everything, and reads all keys: half a second for a million."""
        self._has_gap = True  # until all of this is done
        self._catch_up()
        self._recent.clear()  # all of it is indexed, or, after a failover, no longer there
        with self._working:
            self._filter = KeyFilter(self._index.all_keys(), self._size)
            self._target, self._has_gap = self._size, False  # what is indexed from here on is not in the filter

    def _drop_indexed(self) -> None:
        done = self._size
        if done > self._dropped and not self._has_gap:
            self._recent = {key: seq for key, seq in self._recent.items() if seq >= done}
            self._dropped = done

    def _run(self) -> None:
        _give_way()
        while not self._stopped.is_set():
            self._due.wait(PAUSE_SECONDS)
            self._due.clear()
            self._extend_behind()

    def _extend_behind(self) -> None:
        try:
            while self._size < self._target and self._extend() >= ROUND:
                pass
        except StorageFailed as error:
            _log.warning("index not extended", detail=str(error), behind=self._target - self._size)
            self._stopped.wait(PAUSE_SECONDS)

    def _catch_up(self) -> None:
        with self._working:
            self._size = self._index.size()
        while self._extend() > 0:
            pass

    def _extend(self) -> int:
        with self._working:
            before, self._size = self._size, self._index.extend(MAX_ROUND)
            return self._size - before
