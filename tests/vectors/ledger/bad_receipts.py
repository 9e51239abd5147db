"""Bad receipts, named by their defect."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash
from ledger.merkle import inclusion_proof, root
from ledger.note import Note
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from tests.support.sample_log import COSIGNED_AT
from tests.support.witnessed_log import ORIGIN, QUORUM, WitnessedLog, log_signer, witness_signer
from tests.vectors.ledger.log import foreign_note, other_spelling, vector_log


@dataclass(frozen=True)
class ReceiptCase:
    """A bad receipt and the error that finds it."""

    name: str
    error: str
    receipt: Receipt


def receipt_cases(log: WitnessedLog) -> Iterator[ReceiptCase]:
    """Bad receipts by defect."""
    index, size = 7, len(log.leaves)
    good = log.receipt(index, COSIGNED_AT)
    path = inclusion_proof(index, [leaf_hash(leaf) for leaf in log.leaves])
    note = TlogProof.parse(good.proof).note

    def case(name: str, error: str, *, leaf: bytes = good.leaf, proof: bytes = good.proof) -> ReceiptCase:
        return ReceiptCase(name, error, Receipt(leaf, proof))

    def proof(index: int = index, path: list[bytes] = path, note: bytes = note) -> bytes:
        return TlogProof(index, tuple(path), note).encode()

    yield case("leaf-altered", "ProofInvalid", leaf=good.leaf.replace(b'"bank-a"', b'"bank-b"'))
    yield case("other-leaf", "ProofInvalid", leaf=log.leaves[6])
    yield case("leaf-too-long", "EntryInvalid", leaf=good.leaf + b" " * 16384)
    yield case("index-of-neighbour", "ProofInvalid", proof=proof(index=6))
    yield case("index-is-size", "ProofInvalid", proof=proof(index=size))
    yield case("path-truncated", "ProofInvalid", proof=proof(path=path[:-1]))
    yield case("path-extended", "ProofInvalid", proof=proof(path=[*path, bytes(32)]))
    yield case("path-reversed", "ProofInvalid", proof=proof(path=path[::-1]))
    yield case("path-empty", "ProofInvalid", proof=proof(path=[]))
    yield case("sixty-four-hashes", "ProofInvalid", proof=proof(path=[bytes(32)] * 64))
    yield case("short-hash", "ProofInvalid", proof=proof(path=[path[0][:31], *path[1:]]))
    first = base64.b64encode(path[0])
    yield case("hash-not-canonical", "ProofInvalid", proof=good.proof.replace(first, other_spelling(first), 1))
    yield case("index-with-zero-in-front", "ProofInvalid", proof=good.proof.replace(b"index 7", b"index 07", 1))
    yield case("other-header", "ProofInvalid", proof=good.proof.replace(b"proof@v1", b"proof@v2", 1))
    yield case("extra-line", "ProofInvalid", proof=good.proof.replace(b"index", b"extra AAAA\nindex", 1))
    yield case("note-missing", "ProofInvalid", proof=good.proof.partition(b"\n\n")[0] + b"\n")
    yield case("root-of-smaller-tree", "ProofInvalid", proof=proof(note=log.note(COSIGNED_AT, size=size - 1)))
    yield case("tree-too-small", "ProofInvalid", proof=proof(note=log.note(COSIGNED_AT, size=7)))
    yield case("log-did-not-sign", "SignatureInvalid", proof=proof(note=log.note(COSIGNED_AT, log_signs=False)))
    yield case("another-key-signed", "SignatureInvalid", proof=proof(note=foreign_note(log)))
    yield case("one-cosignature-too-few", "QuorumNotMet", proof=proof(note=log.note(COSIGNED_AT, witnesses=QUORUM[:2])))
    yield case("cosignature-time-moved", "SignatureInvalid", proof=proof(note=_moved_time(note)))
    other = _placed_wrongly()
    yield case("seq-is-not-index", "ProofInvalid", leaf=other.leaf, proof=other.proof)


def _moved_time(note: bytes) -> bytes:
    parsed = Note.parse(note)
    witness = parsed.signatures[1]
    seconds = (int.from_bytes(witness.signature[:8]) + 60).to_bytes(8)
    moved = type(witness)(witness.name, witness.key_id, seconds + witness.signature[8:])
    return Note(parsed.text, (parsed.signatures[0], moved, *parsed.signatures[2:])).encode()


def _placed_wrongly() -> Receipt:
    """A log that signed a tree in which a leaf is not where its seq says."""
    log = vector_log()
    moved = [log.leaves[1], log.leaves[0], *log.leaves[2:]]
    hashes = [leaf_hash(leaf) for leaf in moved]
    checkpoint = Checkpoint(ORIGIN, len(moved), root(hashes))
    note = checkpoint.sign(log_signer("the log"))
    cosignatures = tuple(witness_signer(name).cosign(note.text, COSIGNED_AT) for name in QUORUM)
    encoded = Note(note.text, note.signatures + cosignatures).encode()
    return Receipt(moved[0], TlogProof(0, tuple(inclusion_proof(0, hashes)), encoded).encode())
