"""tlog-scales reads our checkpoints, tiles and receipts; and ours reads the log that it writes."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.checkpoint import open_checkpoint
from ledger.entry import leaf_hash
from ledger.errors import LedgerError
from ledger.export import read_leaf_hashes
from ledger.merkle import consistency_proof, inclusion_proof, root, verify_inclusion
from ledger.note import Note, VerifierKey
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.verify import verify_receipt
from tests.conformance.strangers import module
from tests.support.flipped_bits import flipped
from tests.support.sample_log import COSIGNED_AT, export_log, sample_log
from tests.support.witnessed_log import QUORUM, WitnessedLog, log_signer, policy_text, witness_signer

scales = module("tlog_scales.tlog")
backend = module("tlog_scales.backend")
cli = module("tlog_scales.cli")
reader = module("tlog_scales.reader")
signing = module("tlog_scales.signing")
writer = module("tlog_scales.writer")

pytestmark = pytest.mark.oracles

KEYS = [log_signer("the log").verifier_key, *(witness_signer(name).verifier_key for name in QUORUM)]
POLICY = LogPolicy.parse(policy_text())


@pytest.fixture(scope="module")
def log() -> WitnessedLog:
    """More leaves than two tiles hold."""
    return sample_log(repeat=60)


@pytest.fixture(scope="module")
def export(log: WitnessedLog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_log(log, tmp_path_factory.mktemp("export") / "log")


def verified(note: bytes) -> tuple[str, int, bytes]:
    """What the stranger reads from a note that the log signed and the whole quorum cosigned; raises for any other."""
    checkpoint = scales.Checkpoint.from_text(note.decode())
    for key in KEYS:
        checkpoint.verify(signing.Vkey.from_string(str(key)))
    return checkpoint.origin, checkpoint.size, checkpoint.root_hash


def test_accepts_checkpoint_and_cosignatures() -> None:
    log = sample_log()
    hashes = [leaf_hash(leaf) for leaf in log.leaves]
    assert verified(log.note(COSIGNED_AT)) == (POLICY.logs[0].name, len(hashes), root(hashes))


def test_every_flipped_bit_of_a_note_is_refused_or_means_nothing() -> None:
    """The stranger passes over some bits that our stricter reader refuses (white space, unused bits of base64): then it
    reads and verifies the same as before.
    """
    note = sample_log().note(COSIGNED_AT)
    policy = LogPolicy.parse(
        policy_text().replace("group departments 3", "group departments all").replace(" regulator\n", "\n")
    )
    meaning, passed_over = verified(note), 0
    for mutated in flipped(note):
        try:
            found = verified(mutated)
        except (ValueError, RuntimeError, IndexError, InvalidSignature):
            continue
        assert found == meaning
        passed_over += 1
        with pytest.raises(LedgerError):
            policy.check(mutated)
    assert 0 < passed_over < 60


def test_tiles_lead_to_the_signed_root(log: WitnessedLog, export: Path) -> None:
    found = reader.TilesReader(backend.LocalBackend(export))
    checkpoint = found.get_checkpoint()
    assert checkpoint.size == len(log.leaves) == 541
    assert found.calculate_root_hash() == checkpoint.root_hash


def test_proofs_from_tiles_are_ours(log: WitnessedLog, export: Path) -> None:
    hashes, found = [leaf_hash(leaf) for leaf in log.leaves], reader.TilesReader(backend.LocalBackend(export))
    checkpoint = found.get_checkpoint()
    for index in (0, 1, 255, 256, 511, 512, 540):
        proof = found.get_inclusion_proof(index, checkpoint.size)
        proof.check(hashes[index], checkpoint.root_hash)
        assert proof.node_hashes == inclusion_proof(index, hashes)
    for old in (1, 2, 255, 256, 257, 512, 540, 541):
        proof = found.get_consistency_proof(old, checkpoint.size)
        proof.check(root(hashes[:old]), checkpoint.root_hash)
        assert proof.node_hashes == consistency_proof(old, hashes)


def test_flipped_bits_of_tiles_are_noticed(tmp_path: Path) -> None:
    export = export_log(sample_log(), tmp_path / "log")
    (tile,) = [path for path in (export / "tile").rglob("*") if path.is_file()]
    for mutated in flipped(tile.read_bytes()):
        tile.write_bytes(mutated)
        found = reader.TilesReader(backend.LocalBackend(export))
        checkpoint = found.get_checkpoint()
        assert found.calculate_root_hash() != checkpoint.root_hash


def test_its_command_writes_our_receipt_from_our_export(log: WitnessedLog, export: Path) -> None:
    """Byte for byte the `c2sp.org/tlog-proof@v1` that the ledger hands out; and our verifier accepts it."""
    for index in (0, 300, 540):
        output = io.StringIO()
        with redirect_stdout(output):
            cli.cmd_gen_proof(cli.build_parser().parse_args(["gen-proof", str(export), str(index)]))
        receipt = log.receipt(index, COSIGNED_AT)
        assert output.getvalue().encode() == receipt.proof
        assert verify_receipt(Receipt(log.leaves[index], output.getvalue().encode()), POLICY).index == index


def test_ours_reads_the_log_it_writes(tmp_path: Path) -> None:
    """Checkpoint, tiles and proofs of a log that is not ours: 300 leaves, in two commits."""
    signer = signing.PlainEd25519Signer("elsewhere.example/log", Ed25519PrivateKey.generate())
    leaves = [b"leaf %d" % number for number in range(300)]
    theirs = writer.TilesWriter.create(tmp_path / "log", "elsewhere.example/log")
    for part in (leaves[:100], leaves[100:]):
        for leaf in part:
            theirs.add_leaf(leaf)
        for level in ("entries", "0", "1"):
            (tmp_path / "log" / "tile" / level / "000.p").mkdir(parents=True, exist_ok=True)
            (tmp_path / "log" / "tile" / level / "001.p").mkdir(parents=True, exist_ok=True)
        theirs.commit([signer], gc=False)
    note = (tmp_path / "log" / "checkpoint").read_bytes()
    checkpoint = open_checkpoint(Note.parse(note), VerifierKey.parse(signer.vkey.serialize()))
    hashes = list(read_leaf_hashes(tmp_path / "log", checkpoint.size))
    assert hashes == [leaf_hash(leaf) for leaf in leaves]
    assert root(hashes) == checkpoint.root
    output = io.StringIO()
    with redirect_stdout(output):
        cli.cmd_gen_proof(cli.build_parser().parse_args(["gen-proof", str(tmp_path / "log"), "299"]))
    proof = TlogProof.parse(output.getvalue().encode())
    assert proof.note == note
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(leaves[299]), proof.hashes, checkpoint.root)
