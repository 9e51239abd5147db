"""RFC 6962 section 2.1 Merkle trees: roots, inclusion and consistency proofs, and their verification.

Verification follows RFC 9162 sections 2.1.3.2 and 2.1.4.2. The generators here are the definition, written
plainly, over a whole list of leaf hashes; `ledger.tree` makes the same proofs from stored nodes. Left out:
subtrees, and proofs for an empty tree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ledger.errors import ConsistencyInvalid, ProofInvalid

HASH_BYTES = 32
"""SHA-256; a hash of any other length is refused, so that no leaf can pass for a node."""
MAX_PROOF = 63
"""Most hashes in a proof: more than a tree of 2^53 - 1 leaves can need (c2sp.org/tlog-witness allows 63)."""
MAX_TREE = 2**53 - 1
"""Largest tree size: the largest `seq` a leaf can name, plus nothing to spare."""
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two smaller than `size` (≥ 2): where the tree divides."""
    return 1 << ((size - 1).bit_length() - 1)


def root(hashes: Sequence[bytes]) -> bytes:
    """Merkle tree hash of a list of leaf hashes."""
    if not hashes:
        return EMPTY_ROOT
    if len(hashes) == 1:
        return hashes[0]
    middle = split(len(hashes))
    return node_hash(root(hashes[:middle]), root(hashes[middle:]))


def inclusion_proof(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """Audit path of leaf `index`, from its sibling up."""
    if not 0 <= index < len(hashes):
        raise ProofInvalid("index outside the tree")
    if len(hashes) == 1:
        return []
    middle = split(len(hashes))
    if index < middle:
        return [*inclusion_proof(index, hashes[:middle]), root(hashes[middle:])]
    return [*inclusion_proof(index - middle, hashes[middle:]), root(hashes[:middle])]


def consistency_proof(old_size: int, hashes: Sequence[bytes]) -> list[bytes]:
    """Proof that the tree of the first `old_size` leaves is a prefix of the tree of all."""
    if not 0 <= old_size <= len(hashes):
        raise ConsistencyInvalid("old size outside the tree")
    if old_size in (0, len(hashes)):
        return []
    return _subproof(old_size, hashes, complete=True)


def _subproof(old_size: int, hashes: Sequence[bytes], *, complete: bool) -> list[bytes]:
    if old_size == len(hashes):
        return [] if complete else [root(hashes)]
    middle = split(len(hashes))
    if old_size <= middle:
        return [*_subproof(old_size, hashes[:middle], complete=complete), root(hashes[middle:])]
    return [*_subproof(old_size - middle, hashes[middle:], complete=False), root(hashes[:middle])]


def verify_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root_hash: bytes) -> None:
    """Raises ProofInvalid unless `proof` leads from the leaf at `index` to the root of the tree of `size`
    leaves.
    """
    if not 0 <= index < size <= MAX_TREE:
        raise ProofInvalid("index outside the tree")
    # The length is known beforehand: check it, and every hash's length, before hashing anything.
    if len(proof) != _path_length(index, size):
        raise ProofInvalid("proof has the wrong number of hashes")
    if not _are_hashes([leaf_hash, root_hash, *proof]):
        raise ProofInvalid("a hash does not have 32 bytes")
    computed, node, last = leaf_hash, index, size - 1
    for sibling in proof:
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    if last or computed != root_hash:
        raise ProofInvalid("proof does not lead to the root")


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises ConsistencyInvalid unless the old tree is a prefix of the new one."""
    if not 0 <= old_size <= new_size <= MAX_TREE:
        raise ConsistencyInvalid("the new tree is smaller than the old one")
    if len(proof) != _consistency_length(old_size, new_size):
        raise ConsistencyInvalid("proof has the wrong number of hashes")
    if not _are_hashes([old_root, new_root, *proof]):
        raise ConsistencyInvalid("a hash does not have 32 bytes")
    if old_size == 0:
        _require(old_root == EMPTY_ROOT and (new_size > 0 or new_root == EMPTY_ROOT))
    elif old_size == new_size:
        _require(old_root == new_root)
    else:
        _walk_consistency(old_size, new_size, old_root, new_root, proof)


def _walk_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    # A complete old tree is itself a node of the new one; its hash is left out of the proof.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    _require(last == 0 and old == old_root and new == new_root)


def _path_length(index: int, size: int) -> int:
    """Levels until the path meets the tree's right edge, then one hash for each left sibling above."""
    inner = (index ^ (size - 1)).bit_length()
    return inner + (index >> inner).bit_count()


def _consistency_length(old_size: int, new_size: int) -> int:
    if old_size in (0, new_size):
        return 0
    complete_levels = (old_size & -old_size).bit_length() - 1
    whole_old_tree_is_a_node = old_size == 1 << complete_levels
    return _path_length(old_size - 1, new_size) - complete_levels + (0 if whole_old_tree_is_a_node else 1)


def _are_hashes(values: Sequence[bytes]) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


def _require(holds: bool) -> None:
    if not holds:
        raise ConsistencyInvalid("the trees are not of one history")
