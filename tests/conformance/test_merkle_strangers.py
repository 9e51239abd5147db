"""Our inclusion and consistency proofs, judged by verifiers that other people wrote; and the known vectors by all.

Every single-bit mutation of a proof must be refused by each of them. Where a stranger lets a malformed vector through
that we refuse, LETS_THROUGH says which and why: they are arguments that its callers are trusted not to give.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.entry import leaf_hash
from ledger.merkle import consistency_proof, inclusion_proof, root, verify_consistency, verify_inclusion
from tests.conformance.strangers import module
from tests.support.flipped_bits import flipped
from tests.support.sample_log import sample_log
from tests.vectors.ledger import rfc6962

scitt = module("scitt_cose")
tlog = module("tlog_scales.tlog")
sigstore_merkle = module("sigstore._internal.merkle")
sigstore_models = module("sigstore.models")
rekor = module("sigstore_models.rekor.v1")
common = module("sigstore_models.common.v1")

pytestmark = pytest.mark.oracles

Inclusion = Callable[[int, int, bytes, list[bytes], bytes], bool]
"""(index, size, leaf data, path, root) → whether it holds."""
Consistency = Callable[[int, int, bytes, bytes, list[bytes]], bool]
"""(old size, new size, old root, new root, proof) → whether it holds."""


def scitt_inclusion(index: int, size: int, leaf: bytes, path: list[bytes], tree: bytes) -> bool:
    return scitt.verify_inclusion(leaf.hex(), index, size, [value.hex() for value in path], tree.hex())


def scitt_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> bool:
    return scitt.verify_consistency(old_root.hex(), new_root.hex(), old, new, [value.hex() for value in proof])


def tlog_inclusion(index: int, size: int, leaf: bytes, path: list[bytes], tree: bytes) -> bool:
    try:
        tlog.InclusionProof(index, size, path).check(leaf_hash(leaf), tree)
    except tlog.InclusionProofInvalid:
        return False
    return True


def tlog_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> bool:
    try:
        tlog.ConsistencyProof(old, new, proof).check(old_root, new_root)
    except tlog.ConsistencyProofInvalid:
        return False
    return True


def sigstore_inclusion(index: int, size: int, leaf: bytes, path: list[bytes], tree: bytes) -> bool:
    """As an entry of Rekor, whose body is our leaf."""
    encoded = base64.b64encode
    try:
        proof = rekor.InclusionProof(
            log_index=str(index),
            tree_size=str(size),
            root_hash=encoded(tree),
            hashes=[encoded(value) for value in path],
            checkpoint=rekor.Checkpoint(envelope="looked at by test_sigstore.py"),
        )
        entry = rekor.TransparencyLogEntry(
            log_index=str(index),
            log_id=common.LogId(key_id=encoded(b"id")),
            kind_version=rekor.KindVersion(kind="leaf", version="1"),
            inclusion_proof=proof,
            canonicalized_body=encoded(leaf),
        )
        sigstore_merkle.verify_merkle_inclusion(sigstore_models.TransparencyLogEntry(entry))
    except (sigstore_merkle.VerificationError, ValueError):
        return False
    return True


INCLUSION = {"scitt-cose": scitt_inclusion, "tlog-scales": tlog_inclusion, "sigstore": sigstore_inclusion}
CONSISTENCY = {"scitt-cose": scitt_consistency, "tlog-scales": tlog_consistency}
LETS_THROUGH = {
    "tlog-scales": {"index-negative-0-of-1"},  # Does not compare the index with 0.
    # Does not look at the old root of an empty tree, which is known.
    "scitt-cose": {"old-root-altered-0-to-8", "old-root-short-0-to-8", "old-is-nothing-1-to-1"},
}
each_inclusion = pytest.mark.parametrize("holds", INCLUSION.values(), ids=INCLUSION)
each_consistency = pytest.mark.parametrize("holds", CONSISTENCY.values(), ids=CONSISTENCY)

LEAVES = sample_log().leaves
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
ROOTS = [root(HASHES[:size]) for size in range(len(HASHES) + 1)]


def flipped_numbers(number: int) -> Iterator[int]:
    """The number with each of its lowest 53 bits flipped in turn."""
    return (number ^ (1 << bit) for bit in range(53))


def flipped_paths(path: list[bytes]) -> Iterator[list[bytes]]:
    """The path with one bit of one hash flipped."""
    for place, value in enumerate(path):
        yield from ([*path[:place], mutated, *path[place + 1 :]] for mutated in flipped(value))


@each_inclusion
def test_every_inclusion_proof_is_accepted(holds: Inclusion) -> None:
    for size in range(1, len(LEAVES) + 1):
        for index in range(size):
            path = inclusion_proof(index, HASHES[:size])
            assert holds(index, size, LEAVES[index], path, ROOTS[size])


@each_inclusion
@pytest.mark.parametrize("index", [0, 5, 9])
def test_every_flipped_bit_of_an_inclusion_proof_is_refused(holds: Inclusion, index: int) -> None:
    size, leaf = len(LEAVES), LEAVES[index]
    path, tree = inclusion_proof(index, HASHES), ROOTS[-1]
    assert not [mutated for mutated in flipped(leaf) if holds(index, size, mutated, path, tree)]
    assert not [mutated for mutated in flipped_paths(path) if holds(index, size, leaf, mutated, tree)]
    assert not [mutated for mutated in flipped(tree) if holds(index, size, leaf, path, mutated)]
    assert not [mutated for mutated in flipped_numbers(index) if holds(mutated, size, leaf, path, tree)]


@each_consistency
def test_every_consistency_proof_is_accepted(holds: Consistency) -> None:
    for new in range(1, len(LEAVES) + 1):
        for old in range(new + 1):
            proof = consistency_proof(old, HASHES[:new])
            assert holds(old, new, ROOTS[old], ROOTS[new], proof)


@each_consistency
@pytest.mark.parametrize("old", [1, 4, 7])
def test_every_flipped_bit_of_a_consistency_proof_is_refused(holds: Consistency, old: int) -> None:
    new, proof = len(LEAVES), consistency_proof(old, HASHES)
    old_root, new_root = ROOTS[old], ROOTS[new]
    assert not [mutated for mutated in flipped_paths(proof) if holds(old, new, old_root, new_root, mutated)]
    assert not [mutated for mutated in flipped(old_root) if holds(old, new, mutated, new_root, proof)]
    assert not [mutated for mutated in flipped(new_root) if holds(old, new, old_root, mutated, proof)]
    assert not [
        mutated for mutated in flipped_numbers(old) if mutated and holds(mutated, new, old_root, new_root, proof)
    ]


VECTORS: dict[str, Any] = json.loads((Path(rfc6962.__file__).parent / "rfc6962.json").read_bytes())
ENTRIES = {leaf_hash(bytes.fromhex(leaf)).hex(): bytes.fromhex(leaf) for leaf in VECTORS["leaves"]}


def raw(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


@each_inclusion
def test_known_inclusion_vectors(holds: Inclusion) -> None:
    for case in VECTORS["inclusion"]:
        assert holds(case["index"], case["size"], ENTRIES[case["leaf"]], raw(case["path"]), bytes.fromhex(case["root"]))


@pytest.mark.parametrize("name", INCLUSION)
def test_bad_inclusion_vectors(name: str) -> None:
    """Those whose leaf hash is one: strangers hash the leaf themselves."""
    holds, cases = INCLUSION[name], [case for case in VECTORS["bad_inclusion"] if case["leaf"] in ENTRIES]
    accepted = [
        case["name"]
        for case in cases
        if holds(case["index"], case["size"], ENTRIES[case["leaf"]], raw(case["path"]), bytes.fromhex(case["root"]))
    ]
    assert len(cases) > 90
    assert set(accepted) <= LETS_THROUGH.get(name, set())


@each_consistency
def test_known_consistency_vectors(holds: Consistency) -> None:
    for case in VECTORS["consistency"]:
        assert holds(case["old"], case["new"], *raw([case["old_root"], case["new_root"]]), raw(case["proof"]))


@pytest.mark.parametrize("name", CONSISTENCY)
def test_bad_consistency_vectors(name: str) -> None:
    holds = CONSISTENCY[name]
    accepted = [
        case["name"]
        for case in VECTORS["bad_consistency"]
        if holds(case["old"], case["new"], *raw([case["old_root"], case["new_root"]]), raw(case["proof"]))
    ]
    assert set(accepted) <= LETS_THROUGH.get(name, set())


def test_strangers_make_the_same_proofs() -> None:
    """And the reverse: proofs that scitt-cose makes, accepted by our verifier."""
    entries = [leaf.hex() for leaf in LEAVES]
    assert scitt.merkle_root(entries) == ROOTS[-1].hex()
    for index, leaf in enumerate(LEAVES):
        path = raw(scitt.inclusion_proof(entries, index))
        verify_inclusion(index, len(LEAVES), leaf_hash(leaf), path, ROOTS[-1])
    for old in range(len(LEAVES) + 1):
        verify_consistency(
            old, len(LEAVES), ROOTS[old], ROOTS[-1], raw(scitt.consistency_proof(entries, old, len(LEAVES)))
        )
