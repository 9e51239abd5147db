"""The growing tree: frontier, stored nodes, tiles."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import pytest

from ledger import merkle
from ledger.errors import ConsistencyInvalid, ProofInvalid
from ledger.tiles import TILE_WIDTH, Tiler, nodes_from_tiles, tile_of, tile_path
from ledger.tree import (
    Frontier,
    NodeId,
    cover,
    load_frontier,
    stored_consistency_proof,
    stored_inclusion_proof,
)

HASHES = [hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(600)]


class Nodes:
    """Everything `Frontier.extend` says is complete, and level 0."""

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self.stored = {NodeId(0, index): value for index, value in enumerate(hashes)}
        self.stored |= {node.id: node.hash for node in Frontier().extend(hashes)[1]}
        self.asked: list[NodeId] = []

    def read(self, ids: Sequence[NodeId]) -> Mapping[NodeId, bytes]:
        self.asked += ids
        return {node: self.stored[node] for node in ids}


@pytest.mark.parametrize("size", range(34))
def test_stored_proofs_equal_the_definition(size: int) -> None:
    hashes = HASHES[:size]
    nodes = Nodes(hashes)
    assert load_frontier(size, nodes.read).root() == merkle.root(hashes)
    for index in range(size):
        assert stored_inclusion_proof(index, size, nodes.read) == merkle.inclusion_proof(index, hashes)
    for old in range(size + 1):
        assert stored_consistency_proof(old, size, nodes.read) == merkle.consistency_proof(old, hashes)


def test_proofs_of_earlier_trees_come_from_the_same_nodes() -> None:
    nodes = Nodes(HASHES)
    for size in (1, 2, 3, 257, 511, 512, 513):
        index = size // 2
        expected = merkle.inclusion_proof(index, HASHES[:size])
        assert stored_inclusion_proof(index, size, nodes.read) == expected


def test_a_proof_reads_few_nodes() -> None:
    nodes = Nodes(HASHES)
    stored_inclusion_proof(300, 600, nodes.read)
    assert len(nodes.asked) < 20


def test_nothing_outside_the_tree() -> None:
    nodes = Nodes(HASHES[:4])
    for index in (-1, 4):
        with pytest.raises(ProofInvalid):
            stored_inclusion_proof(index, 4, nodes.read)
    for old, new in ((5, 4), (-1, 4)):
        with pytest.raises(ConsistencyInvalid):
            stored_consistency_proof(old, new, nodes.read)


def test_every_complete_subtree_is_reported_once() -> None:
    _, nodes = Frontier().extend(HASHES[:8])
    assert sorted(node.id for node in nodes) == [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (3, 0)]
    for node in nodes:
        start = node.id.position << node.id.level
        assert node.hash == merkle.root(HASHES[start : start + (1 << node.id.level)])


def test_frontier_keeps_one_hash_per_bit() -> None:
    for size, hashes in ((1, ()), (3, (HASHES[0],)), (2, (b"short",))):
        with pytest.raises(ValueError, match="frontier"):
            Frontier(size, hashes)


def test_cover() -> None:
    assert cover(0, 7) == [(2, 0), (1, 2), (0, 6)]
    assert cover(0, 0) == []


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 273, 256, "tile/0/273"),
        (1, 5, 17, "tile/1/005.p/17"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (2, 1000, 1, "tile/2/x001/000.p/1"),
    ],
)
def test_tile_paths(level: int, index: int, width: int, path: str) -> None:
    assert tile_path(level, index, width) == path


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 600])
def test_tiles_hold_the_tree(size: int) -> None:
    tiles: dict[str, bytes] = {}
    tiler = Tiler(tiles.__setitem__)
    tiler.extend(HASHES[: size // 2])
    tiler.extend(HASHES[size // 2 : size])
    tiler.finish()
    assert b"".join(tiles[path] for path in sorted(tiles) if path.startswith("tile/0/")) == b"".join(HASHES[:size])
    assert len([path for path in tiles if path.startswith("tile/1/")]) == (size >= TILE_WIDTH)
    nodes = Nodes(HASHES[:size])
    every = list(nodes.stored)
    assert nodes_from_tiles(every, size, tiles.__getitem__) == nodes.stored
    for node in every:
        assert tile_of(node, size)[0] in tiles


def test_proof_from_tiles() -> None:
    tiles: dict[str, bytes] = {}
    tiler = Tiler(tiles.__setitem__)
    tiler.extend(HASHES)
    tiler.finish()
    for index in (0, 255, 256, 511, 512, 599):
        path = stored_inclusion_proof(index, 600, lambda ids: nodes_from_tiles(ids, 600, tiles.__getitem__))
        merkle.verify_inclusion(index, 600, HASHES[index], path, merkle.root(HASHES))
