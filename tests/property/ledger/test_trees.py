"""Merkle trees, their stored nodes and tiles, against the independent implementation."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle
from ledger.errors import ConsistencyInvalid, ProofInvalid
from ledger.tiles import Tiler, nodes_from_tiles
from ledger.tree import Frontier, NodeId, load_frontier, stored_consistency_proof, stored_inclusion_proof
from tests.vectors.ledger import independent
from tests.vectors.ledger.independent import Refused

SIZES = st.integers(1, 300) | st.sampled_from([1, 2, 3, 4, 127, 128, 129, 255, 256, 257])


def leaves(size: int) -> list[bytes]:
    return [hashlib.sha256(number.to_bytes(4)).digest() for number in range(size)]


def nodes_of(hashes: Sequence[bytes]) -> Mapping[NodeId, bytes]:
    stored = {NodeId(0, index): value for index, value in enumerate(hashes)}
    return stored | {node.id: node.hash for node in Frontier().extend(hashes)[1]}


@given(SIZES, st.data())
def test_inclusion(size: int, data: st.DataObject) -> None:
    hashes, index = leaves(size), data.draw(st.integers(0, size - 1))
    root, path = independent.tree(hashes), merkle.inclusion_proof(index, hashes)
    assert merkle.root(hashes) == root
    merkle.verify_inclusion(index, size, hashes[index], path, root)
    independent.check_inclusion(index, size, hashes[index], path, root)
    stored = nodes_of(hashes)
    assert stored_inclusion_proof(index, size, lambda ids: {node: stored[node] for node in ids}) == path


@given(SIZES, st.data())
def test_consistency(new: int, data: st.DataObject) -> None:
    hashes, old = leaves(new), data.draw(st.integers(0, new))
    roots = independent.tree(hashes[:old]), independent.tree(hashes)
    proof = merkle.consistency_proof(old, hashes)
    merkle.verify_consistency(old, new, *roots, proof)
    independent.check_consistency(old, new, *roots, proof)
    stored = nodes_of(hashes)
    assert stored_consistency_proof(old, new, lambda ids: {node: stored[node] for node in ids}) == proof


@given(SIZES, st.data())
def test_verifiers_agree_about_wrong_inclusions(size: int, data: st.DataObject) -> None:
    """Any mixture of true parts: both accept or both refuse, and only what is true is accepted."""
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    claimed = data.draw(st.integers(-1, size + 3))
    tree = data.draw(st.integers(0, size + 3))
    path = data.draw(st.sampled_from([merkle.inclusion_proof(index, hashes), merkle.inclusion_proof(0, hashes)]))
    path = data.draw(st.sampled_from([path, path[:-1], path[1:], [*path, hashes[0]], path[::-1]]))
    arguments = (claimed, tree, hashes[index], path, merkle.root(hashes))
    try:
        merkle.verify_inclusion(*arguments)
    except ProofInvalid:
        with pytest.raises(Refused):
            independent.check_inclusion(*arguments)
    else:
        independent.check_inclusion(*arguments)
        assert (claimed, path) == (index, merkle.inclusion_proof(index, hashes))


@given(SIZES, st.data())
def test_verifiers_agree_about_wrong_consistencies(size: int, data: st.DataObject) -> None:
    hashes = leaves(size)
    old = data.draw(st.integers(0, size))
    old_claimed, new_claimed = data.draw(st.integers(0, size + 2)), data.draw(st.integers(0, size + 2))
    proof = merkle.consistency_proof(old, hashes)
    proof = data.draw(st.sampled_from([proof, proof[:-1], proof[1:], [*proof, hashes[0]], proof[::-1]]))
    roots = merkle.root(hashes[:old]), merkle.root(hashes)
    roots = data.draw(st.sampled_from([roots, roots[::-1], (roots[0], roots[0])]))
    arguments = (old_claimed, new_claimed, *roots, proof)
    try:
        merkle.verify_consistency(*arguments)
    except ConsistencyInvalid:
        with pytest.raises(Refused):
            independent.check_consistency(*arguments)
    else:
        independent.check_consistency(*arguments)


@given(st.lists(st.integers(0, 40), max_size=8))
def test_a_frontier_grows_in_any_steps(steps: list[int]) -> None:
    hashes = leaves(sum(steps))
    frontier, nodes, start = Frontier(), {}, 0
    for step in steps:
        frontier, completed = frontier.extend(hashes[start : start + step])
        nodes |= {node.id: node.hash for node in completed}
        start += step
    assert frontier.root() == independent.tree(hashes)
    assert nodes == {node.id: node.hash for node in Frontier().extend(hashes)[1]}
    stored = nodes_of(hashes)
    assert load_frontier(len(hashes), lambda ids: {node: stored[node] for node in ids}) == frontier


@given(st.integers(0, 700), st.lists(st.integers(0, 700), max_size=3))
def test_tiles_are_the_tree(size: int, cuts: list[int]) -> None:
    hashes = leaves(size)
    tiles: dict[str, bytes] = {}
    tiler = Tiler(tiles.__setitem__)
    edges = sorted({0, size, *(min(cut, size) for cut in cuts)})
    for start, end in pairwise(edges):
        tiler.extend(hashes[start:end])
    tiler.finish()
    assert tiles == dict(independent._tiles(hashes))
    stored = nodes_of(hashes)
    assert nodes_from_tiles(list(stored), size, tiles.__getitem__) == stored
