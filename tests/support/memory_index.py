"""A log in memory with an honest index behind it, for tests of whoever extends an index."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

from ledger.errors import StorageFailed
from ledger.storage.interface import Record


class MemoryLog:
    """Keys by seq, and an index of them that follows only when it is told to. Every look is at one moment."""

    def __init__(self, size: int = 0) -> None:
        self.keys: list[str | None] = [f"key {seq}" for seq in range(size)]
        self.indexed: dict[str, int] = {}
        self.rounds: list[int] = []
        """How many entries each call of `extend` indexed."""
        self.failing = False
        self.fail_in: int | None = None
        """The call of `extend`, counted from the next one, that fails."""
        self.is_closed = False
        self._size = 0
        self._moment = threading.Lock()
        self._user = threading.Lock()

    def append(self, *keys: str | None) -> tuple[int, list[Record]]:
        """Stores entries with these keys; what `Indexing.appended` is told of them."""
        with self._moment:
            start = len(self.keys)
            self.keys.extend(keys)
        return start, [Record(b"leaf", bytes(32), key) for key in keys]

    def find(self, keys: Sequence[str]) -> Mapping[str, int]:
        """As a session beside the index sees it."""
        with self._moment:
            return {key: self.indexed[key] for key in keys if key in self.indexed}

    def go_back(self, size: int) -> None:
        """The index is what it was when it had so many entries."""
        with self._moment:
            self.indexed = {key: seq for key, seq in self.indexed.items() if seq < size}
            self._size = size

    # As Index.

    def size(self) -> int:
        with self._moment:
            self._strike()
            return self._size

    def extend(self, limit: int) -> int:
        assert self._user.acquire(blocking=False), "used by two threads at once"
        try:
            with self._moment:
                self._strike()
                fresh = self.keys[self._size : self._size + limit]
                self.indexed.update((key, seq) for seq, key in enumerate(fresh, self._size) if key is not None)
                self.rounds.append(len(fresh))
                self._size += len(fresh)
                return self._size
        finally:
            self._user.release()

    def all_keys(self) -> Iterator[str]:
        assert self._user.acquire(blocking=False), "used by two threads at once"
        try:
            yield from list(self.indexed)
        finally:
            self._user.release()

    def close(self) -> None:
        assert not self.is_closed
        self.is_closed = True

    def _strike(self) -> None:
        if self.fail_in is not None:
            self.fail_in -= 1
        if self.failing or (self.fail_in is not None and self.fail_in < 0):
            raise StorageFailed("the disk is full")
