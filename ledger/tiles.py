"""Hash tiles (c2sp.org/tlog-tiles): the tree's hashes in files that other people's clients read.

A tile of level L holds up to 256 neighbouring hashes of complete subtrees of 256^L leaves; level 0 are the leaf
hashes. A full tile never changes; at the right edge there is a partial one, named after its width. Left out: entry
bundles (an export's entries are JSON lines), and HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ledger.merkle import HASH_BYTES, node_hash
from ledger.tree import NodeId

TILE_BITS = 8
"""A tile covers eight levels of the tree."""
TILE_WIDTH = 1 << TILE_BITS
"""Hashes in a full tile."""
TILE_FOLDER = "tile"

Sink = Callable[[str, bytes], None]
"""Takes a finished tile: its path, and its hashes one after the other."""
ReadTile = Callable[[str], bytes]
"""Reads a tile by its path."""


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """`tile/<level>/<index>[.p/<width>]`; the index in groups of three digits, all but the last with an `x`."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"{TILE_FOLDER}/{level}/{'/'.join(groups)}{partial}"


class Tiler:
    """Cuts a growing tree into tiles and hands each to a sink as soon as it is full; `finish` hands out the partial
    ones. Memory: one tile per level.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._open: list[list[bytes]] = []
        self._full: list[int] = []

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Adds leaves."""
        for leaf_hash in leaf_hashes:
            self._add(0, leaf_hash)

    def finish(self) -> None:
        """Hands out the partial tiles. Nothing may be added afterwards."""
        for level, hashes in enumerate(self._open):
            if hashes:
                self._sink(tile_path(level, self._full[level], len(hashes)), b"".join(hashes))

    def _add(self, level: int, value: bytes) -> None:
        if level == len(self._open):
            self._open.append([])
            self._full.append(0)
        hashes = self._open[level]
        hashes.append(value)
        if len(hashes) == TILE_WIDTH:
            self._sink(tile_path(level, self._full[level]), b"".join(hashes))
            self._full[level] += 1
            self._open[level] = []
            self._add(level + 1, fold_complete(hashes))


def fold_complete(hashes: Sequence[bytes]) -> bytes:
    """Root over a power of two of neighbouring hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def tile_of(node: NodeId, size: int) -> tuple[str, int, int]:
    """Where a complete subtree of the tree of `size` leaves lies: path of its tile, first hash in it, how many hashes
    it is folded from.
    """
    tile_level, inner = divmod(node.level, TILE_BITS)
    first = node.position << inner
    index, offset = divmod(first, TILE_WIDTH)
    complete = size >> (TILE_BITS * tile_level)
    return tile_path(tile_level, index, min(TILE_WIDTH, complete - index * TILE_WIDTH)), offset, 1 << inner


def nodes_from_tiles(ids: Sequence[NodeId], size: int, read: ReadTile) -> Mapping[NodeId, bytes]:
    """Stored nodes as `ledger.tree` asks for them, folded from the tiles of a tree of `size` leaves."""
    found = {}
    for node in ids:
        path, offset, count = tile_of(node, size)
        tile = read(path)
        hashes = [tile[HASH_BYTES * i : HASH_BYTES * (i + 1)] for i in range(offset, offset + count)]
        found[node] = fold_complete(hashes)
    return found
