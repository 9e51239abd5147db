"""Bounds of the Merkle proofs; known answers are in test_vectors.py."""

from __future__ import annotations

import pytest

from ledger.errors import ConsistencyInvalid, ProofInvalid
from ledger.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    MAX_PROOF,
    MAX_TREE,
    consistency_proof,
    inclusion_proof,
    root,
    split,
    verify_consistency,
    verify_inclusion,
)

HASHES = [bytes([number]) * HASH_BYTES for number in range(9)]


@pytest.mark.parametrize(("size", "half"), [(2, 1), (3, 2), (4, 2), (5, 4), (8, 4), (9, 8), (2**53 - 1, 2**52)])
def test_split(size: int, half: int) -> None:
    assert split(size) == half


@pytest.mark.parametrize(("index", "size"), [(-1, 9), (9, 9), (10, 9), (0, 0)])
def test_no_proof_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofInvalid):
        inclusion_proof(index, HASHES[:size])


@pytest.mark.parametrize("old", [-1, 10])
def test_no_consistency_outside_the_tree(old: int) -> None:
    with pytest.raises(ConsistencyInvalid):
        consistency_proof(old, HASHES)


def test_leaf_of_the_largest_tree_has_a_short_proof() -> None:
    """A path over 53 levels: the length is known beforehand, and one hash more or less is refused unhashed."""
    for index, length in ((0, 53), (MAX_TREE - 1, 52)):
        for count in (length - 1, length + 1):
            with pytest.raises(ProofInvalid, match="number of hashes"):
                verify_inclusion(index, MAX_TREE, HASHES[0], [HASHES[1]] * count, HASHES[2])
        with pytest.raises(ProofInvalid, match="does not lead"):
            verify_inclusion(index, MAX_TREE, HASHES[0], [HASHES[1]] * length, HASHES[2])
        assert length <= MAX_PROOF


def test_larger_trees_do_not_exist() -> None:
    with pytest.raises(ProofInvalid, match="outside"):
        verify_inclusion(0, MAX_TREE + 1, HASHES[0], [HASHES[1]] * 53, HASHES[2])
    with pytest.raises(ConsistencyInvalid):
        verify_consistency(1, MAX_TREE + 1, HASHES[0], HASHES[1], [HASHES[1]] * 53)


def test_empty_tree() -> None:
    assert root([]) == EMPTY_ROOT
    verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    verify_consistency(0, 9, EMPTY_ROOT, root(HASHES), [])
    with pytest.raises(ConsistencyInvalid):
        verify_consistency(0, 0, EMPTY_ROOT, root(HASHES), [])
    with pytest.raises(ConsistencyInvalid):
        verify_consistency(0, 9, root(HASHES), root(HASHES), [])


def test_same_size_must_be_the_same_tree() -> None:
    verify_consistency(9, 9, root(HASHES), root(HASHES), [])
    with pytest.raises(ConsistencyInvalid):
        verify_consistency(9, 9, root(HASHES), root(HASHES[::-1]), [])


def test_a_shrinking_tree_is_refused() -> None:
    proof = consistency_proof(5, HASHES)
    with pytest.raises(ConsistencyInvalid, match="smaller"):
        verify_consistency(9, 5, root(HASHES), root(HASHES[:5]), proof)


def test_a_node_cannot_pass_for_a_leaf() -> None:
    """An inner node as leaf of a smaller tree: the index and size demand another length, or the root differs."""
    top = root(HASHES[:4])
    left, right = root(HASHES[:2]), root(HASHES[2:4])
    verify_inclusion(0, 2, left, [right], top)
    with pytest.raises(ProofInvalid):
        verify_inclusion(0, 4, left, [right], top)
