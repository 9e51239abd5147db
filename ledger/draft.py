"""A batch before it is stored: entries get their numbers, are encoded, hashed, chained and put into the tree.

Pure but for the clock and the nonces: nothing is read, and nothing stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from ledger.chain import Chain
from ledger.entry import assemble, format_time, leaf_hash, new_nonces
from ledger.errors import EntryInvalid
from ledger.storage.interface import Batch, Head, Record


class Wanted(NamedTuple):
    """An entry that somebody asked for."""

    kind: str
    body: Mapping[str, object]
    key: str | None


class Recorded(NamedTuple):
    """A durable entry; `existing` when its key had been recorded before."""

    seq: int
    existing: bool


@dataclass(frozen=True)
class Draft:
    """A batch, the history with it, and for each entry that was asked for what to say once the batch is durable."""

    batch: Batch
    grown: Chain
    outcomes: Sequence[Recorded | EntryInvalid]


def make_draft(
    start: Chain, wanted: Sequence[Wanted], known: Mapping[str, int], clock: Callable[[], datetime]
) -> Draft:
    """`known`: keys recorded before. An entry outside the profile is refused alone, and leaves no gap. A batch becomes
    durable at once, so all its entries bear the same time.
    """
    growing = _Growing(start, known, clock)
    outcomes = [growing.add(item, nonce) for item, nonce in zip(wanted, new_nonces(len(wanted)), strict=True)]
    records = growing.records
    if not records:
        return Draft(Batch([], [], Head(start.size, start.last)), start, outcomes)
    frontier, nodes = start.frontier.extend(record.leaf_hash for record in records)
    batch = Batch(records, nodes, Head(frontier.size, growing.last))
    return Draft(batch, Chain(start.origin, growing.last, frontier), outcomes)


class _Growing:
    def __init__(self, start: Chain, known: Mapping[str, int], clock: Callable[[], datetime]) -> None:
        self.records: list[Record] = []
        self.last = start.last
        self._size = start.size
        self._origin = start.origin
        self._known = dict(known)
        self._clock = clock
        self._moment: str | None = None

    def add(self, item: Wanted, nonce: str) -> Recorded | EntryInvalid:
        kind, body, key = item
        if key is not None and key in self._known:
            return Recorded(self._known[key], existing=True)
        if self._moment is None:
            self._moment = format_time(self._clock())
        seq = self._size
        try:
            leaf = assemble(self._origin, seq, self.last, self._moment, kind, nonce, body)
        except EntryInvalid as error:
            return error
        digest = leaf_hash(leaf)
        self.records.append(Record(leaf, digest, key))
        self.last = digest.hex()
        self._size = seq + 1
        if key is not None:
            self._known[key] = seq
        return Recorded(seq, existing=False)
