"""aics-tlog (Python 3.12 and newer) verifies our checkpoint with its quorum, our tiles and our proofs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ledger.entry import leaf_hash
from ledger.merkle import consistency_proof, inclusion_proof, root
from tests.conformance.strangers import module
from tests.support.flipped_bits import flipped
from tests.support.sample_log import COSIGNED_AT, export_log, sample_log
from tests.support.witnessed_log import QUORUM, log_signer, witness_signer

if sys.version_info < (3, 12):
    pytest.skip("aics-tlog needs Python 3.12", allow_module_level=True)
aics = module("aics_tlog")

pytestmark = pytest.mark.oracles


def accepts(note: bytes) -> bool:
    """Signed by the log and cosigned by all witnesses."""
    log_key = aics.parse_vkey(str(log_signer("the log").verifier_key))
    witnesses = [aics.parse_vkey(str(witness_signer(name).verifier_key)) for name in QUORUM]
    try:
        return aics.verify_checkpoint(aics.parse_note(note), log_key, witnesses, len(QUORUM)).ok
    except ValueError:
        return False


def test_checkpoint_and_cosignatures() -> None:
    note = sample_log().note(COSIGNED_AT)
    assert accepts(note)
    assert not [mutated for mutated in flipped(note) if accepts(mutated)]


def test_proofs() -> None:
    leaves = sample_log().leaves
    hashes = [leaf_hash(leaf) for leaf in leaves]
    size, tree = len(leaves), root(hashes)
    for index, leaf in enumerate(leaves):
        assert aics.verify_leaf_inclusion(leaf, index, size, inclusion_proof(index, hashes), tree)
        assert not aics.verify_leaf_inclusion(leaf, index ^ 1, size, inclusion_proof(index, hashes), tree)
    for old in range(size + 1):
        assert aics.verify_consistency(old, size, root(hashes[:old]), tree, consistency_proof(old, hashes))


def test_tiles(tmp_path: Path) -> None:
    log = sample_log(repeat=60)
    found = aics.FileSystemTileReader(export_log(log, tmp_path / "log"))
    hashes = [leaf_hash(leaf) for leaf in log.leaves]
    assert aics.tree_root_from_tiles(found, len(hashes)) == root(hashes)
    assert aics.inclusion_proof_from_tiles(found, 300, len(hashes)) == inclusion_proof(300, hashes)
