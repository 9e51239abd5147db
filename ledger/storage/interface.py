"""What the sequencer, the receipts and the searches need of a storage.

**Durability.** When `append` returns, its batch survives the death of the process and of the machine. When it
raises StorageFailed, the batch is there wholly or not at all, and only reading `head` again tells which.
`put_checkpoint` need not be durable when it returns: the sequencer's second place is what must not be lost.

**Isolation.** `append` is one serialisable transaction whose fence is a compare-and-swap on the head: of two
sequencers that start from one head, one gets HeadConflict and nothing of its batch is stored. A reader sees
whole batches only, and sees every batch whose `append` returned before the read began.

**Concurrency.** `append` and `put_checkpoint` are called by one thread at a time; `find_keys` of a storage that appends
is called by the thread that appends. All other methods may be called from any thread, also during an append, and do not
wait for it.

**Indexes.** What `find_keys` and `search` look into follows the log (ledger.storage.indexing) and can be made again at
any time. Neither ever misses an entry for that: what is not indexed yet is found without an index.

**Immutability.** Leaves, nodes and keys never change and never go. Implementations guard against accidents
(triggers, missing privileges), not against whoever controls the storage: that is what checkpoints and
witnesses are for.

Methods raise StorageFailed when the storage fails and NotFound for what is not there; a search that comes upon leaf
bytes that are no entry raises LedgerCorrupt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ledger.entry import ZERO_HASH
from ledger.storage.searchable import SearchFilters
from ledger.tree import Node, NodeId

MAX_KEY = 128
"""Longest idempotency key in characters."""


def key_binding(leaf_hash: bytes, key: str) -> bytes:
    """SHA-256(0x02 ‖ leaf hash ‖ key), stored beside a key: leaves do not name their keys, so nothing else would show
    that a key was altered. It finds accidents; whoever alters a key on purpose can compute it too.
    """
    return hashlib.sha256(b"\x02" + leaf_hash + key.encode()).digest()


@dataclass(frozen=True)
class Head:
    """How many leaves are stored, and the leaf hash of the last one (hex; zeros when there is none)."""

    size: int = 0
    last: str = ZERO_HASH


class Record(NamedTuple):
    """One entry to store."""

    leaf: bytes
    leaf_hash: bytes
    key: str | None

    @property
    def binding(self) -> bytes | None:
        """What binds the key to the leaf; None without a key."""
        return None if self.key is None else key_binding(self.leaf_hash, self.key)


@dataclass(frozen=True)
class Batch:
    """Entries from the head on, the nodes above level 0 that they complete, and the head after them."""

    records: Sequence[Record]
    nodes: Sequence[Node]
    head: Head


class LogReader(Protocol):
    """The reading half: also what offline tools open."""

    def head(self) -> Head:
        """The newest head."""
        ...

    def leaves(self, start: int, end: int) -> list[bytes]:
        """Exact leaf bytes of [start, end), cut off at the head."""
        ...

    def nodes(self, ids: Sequence[NodeId]) -> Mapping[NodeId, bytes]:
        """Hashes of complete subtrees; raises NotFound if one is missing."""
        ...

    def find_keys(self, keys: Sequence[str]) -> Mapping[str, int]:
        """The seq recorded for each idempotency key that is known."""
        ...

    def search(self, filters: SearchFilters, after_seq: int | None, limit: int) -> list[bytes]:
        """Leaves for which all filters hold, seq greater than `after_seq`, in order of seq, at most
        `limit`.
        """
        ...

    def checkpoint(self) -> bytes | None:
        """The note last given to `put_checkpoint`, or an earlier one; None if there was none."""
        ...

    def close(self) -> None:
        """Releases files and connections. Nothing else may be called afterwards."""
        ...


class LogStorage(LogReader, Protocol):
    """The whole storage."""

    def append(self, expected: Head, batch: Batch) -> None:
        """Stores the batch if the head is still `expected`; raises HeadConflict otherwise. It does not look for the
        batch's keys: that a key is recorded once rests on `find_keys`, asked after `expected` was the head.
        """
        ...

    def put_checkpoint(self, size: int, note: bytes) -> None:
        """Keeps the newest cosigned checkpoint for offline readers; one for a smaller tree is ignored."""
        ...
