"""The history up to some size, in constant space: size, last leaf hash, Merkle frontier. Everybody who reads
a log in order (auditor, tail, sequencer) grows one of these, leaf by leaf.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.entry import ZERO_HASH, Entry, leaf_hash, parse
from ledger.errors import ConsistencyInvalid, EntryInvalid, LogMismatch
from ledger.tree import Frontier


@dataclass(frozen=True)
class Chain:
    """History of one log: `last` is the leaf hash of the newest entry, hex, zeros when there is none."""

    origin: str
    last: str = ZERO_HASH
    frontier: Frontier = field(default_factory=Frontier)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self.frontier.size

    def root(self) -> bytes:
        """Root of the tree."""
        return self.frontier.root()

    def extend(self, leaves: Iterable[bytes]) -> tuple[Chain, list[Entry]]:
        """The grown chain and the entries; raises EntryInvalid, LogMismatch or ConsistencyInvalid (gap, swap,
        broken chain).
        """
        size, last, hashes, entries = self.size, self.last, [], []
        for leaf in leaves:
            entry = _parse(leaf, size)
            if entry.log != self.origin:
                raise LogMismatch(f"leaf {size} belongs to another log")
            if entry.seq != size:
                raise ConsistencyInvalid(f"leaf {size} is missing or out of order")
            if entry.prev != last:
                raise ConsistencyInvalid(f"leaf {size} does not name the hash of the leaf before it")
            digest = leaf_hash(leaf)
            size, last = size + 1, digest.hex()
            hashes.append(digest)
            entries.append(entry)
        return Chain(self.origin, last, self.frontier.extend(hashes)[0]), entries


def _parse(leaf: bytes, position: int) -> Entry:
    """The entry; the error also says which leaf it is about."""
    try:
        return parse(leaf)
    except EntryInvalid as error:
        raise EntryInvalid(error.field, leaf=position) from error
