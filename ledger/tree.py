"""The Merkle tree as it grows: a compact frontier, and proofs from stored nodes.

A *node* is a complete subtree: level k, position i covers leaves [i·2^k, (i+1)·2^k). Complete subtrees never
change, so they are stored once; everything else (right edges, roots, proofs of any tree size) is folded from
O(log n) of them when asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledger.errors import ConsistencyInvalid, ProofInvalid
from ledger.merkle import EMPTY_ROOT, HASH_BYTES, node_hash, split


class NodeId(NamedTuple):
    """Address of a complete subtree; level 0 are the leaf hashes."""

    level: int
    position: int


class Node(NamedTuple):
    """A complete subtree and its hash."""

    id: NodeId
    hash: bytes


ReadNodes = Callable[[Sequence[NodeId]], Mapping[NodeId, bytes]]
"""Reads stored nodes; all that are asked for must be in the answer."""


@dataclass(frozen=True)
class Frontier:
    """The complete subtrees along the right edge of a tree of `size` leaves, left to right: enough to grow
    it.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if len(self.hashes) != self.size.bit_count() or any(len(value) != HASH_BYTES for value in self.hashes):
            raise ValueError("a frontier has one 32-byte hash for each bit set in the size")

    def root(self) -> bytes:
        """Root of the tree."""
        return fold(self.hashes) if self.hashes else EMPTY_ROOT

    def extend(self, leaf_hashes: Iterable[bytes]) -> tuple[Frontier, list[Node]]:
        """The grown frontier, and the nodes above level 0 that became complete."""
        size, hashes, completed = self.size, list(self.hashes), []
        for leaf in leaf_hashes:
            hashes.append(leaf)
            level, index = 0, size
            while index & 1:
                right = hashes.pop()
                hashes[-1] = node_hash(hashes[-1], right)
                level, index = level + 1, index >> 1
                completed.append(Node(NodeId(level, index), hashes[-1]))
            size += 1
        return Frontier(size, tuple(hashes)), completed


def fold(hashes: Sequence[bytes]) -> bytes:
    """Root over neighbouring complete subtrees of falling size."""
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return result


def cover(start: int, end: int) -> list[NodeId]:
    """The complete subtrees that make up leaves [start, end), left to right; `start` is where a subtree of
    that size may start.
    """
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append(NodeId(level, start >> level))
        start += 1 << level
    return nodes


def load_frontier(size: int, read: ReadNodes) -> Frontier:
    """The frontier of the tree of `size` leaves from stored nodes."""
    ids = cover(0, size)
    found = read(ids)
    return Frontier(size, tuple(found[node] for node in ids))


def stored_inclusion_proof(index: int, size: int, read: ReadNodes) -> list[bytes]:
    """As `merkle.inclusion_proof`, from stored nodes."""
    return stored_inclusion_proofs([index], size, read)[index]


def stored_inclusion_proofs(indices: Iterable[int], size: int, read: ReadNodes) -> dict[int, list[bytes]]:
    """The same for many leaves of one tree. All nodes are read at once, each once: neighbours share most of theirs."""
    covers = {index: [cover(start, end) for start, end in _inclusion_path(index, size)] for index in indices}
    wanted = dict.fromkeys(node for path in covers.values() for nodes in path for node in nodes)
    found = read(list(wanted))
    return {index: [fold([found[node] for node in nodes]) for nodes in path] for index, path in covers.items()}


def stored_consistency_proof(old_size: int, new_size: int, read: ReadNodes) -> list[bytes]:
    """As `merkle.consistency_proof`, from stored nodes."""
    if not 0 <= old_size <= new_size:
        raise ConsistencyInvalid("the new tree is smaller than the old one")
    if old_size in (0, new_size):
        return []
    return _hash_ranges(_consistency_ranges(old_size, 0, new_size), read)


def _inclusion_path(index: int, size: int) -> list[tuple[int, int]]:
    if not 0 <= index < size:
        raise ProofInvalid("index outside the tree")
    return _inclusion_ranges(index, 0, size)


def _inclusion_ranges(index: int, start: int, end: int) -> list[tuple[int, int]]:
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*_inclusion_ranges(index, start, middle), (middle, end)]
    return [*_inclusion_ranges(index, middle, end), (start, middle)]


def _consistency_ranges(old_size: int, start: int, end: int) -> list[tuple[int, int]]:
    if old_size == end:
        # The whole old tree, where it is one subtree, is known to the verifier and left out.
        return [] if start == 0 else [(start, end)]
    middle = start + split(end - start)
    if old_size <= middle:
        return [*_consistency_ranges(old_size, start, middle), (middle, end)]
    return [*_consistency_ranges(old_size, middle, end), (start, middle)]


def _hash_ranges(ranges: Sequence[tuple[int, int]], read: ReadNodes) -> list[bytes]:
    covers = [cover(start, end) for start, end in ranges]
    found = read([node for nodes in covers for node in nodes])
    return [fold([found[node] for node in nodes]) for nodes in covers]
