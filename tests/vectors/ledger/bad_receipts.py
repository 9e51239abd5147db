"""Bad receipts, named by their defect."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.entry import MAX_LEAF, leaf_hash
from ledger.merkle import inclusion_proof
from ledger.note import MAX_NOTE, Note
from ledger.proof import MAX_PROOF_BYTES, TlogProof
from ledger.receipt import Receipt
from tests.support.sample_log import COSIGNED_AT
from tests.support.witnessed_log import QUORUM, WitnessedLog, policy_text
from tests.vectors.ledger.bad_notes import note_of_bytes
from tests.vectors.ledger.log import foreign_note, other_spelling, signed_receipt

POLICY = policy_text()


@dataclass(frozen=True)
class ReceiptCase:
    """A bad receipt and the error that finds it."""

    name: str
    error: str
    receipt: Receipt
    policy: str = POLICY


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
    yield case("sixty-four-hashes-before-a-bad-note", "ProofInvalid", proof=proof(path=[bytes(32)] * 64, note=b"x"))
    short = proof(path=[bytes(31)], note=b"x")
    yield case("hash-of-31-bytes-before-a-bad-note", "ProofInvalid", proof=short)
    yield case("index-beyond-all-trees", "ProofInvalid", proof=proof(index=2**53 + index))
    long = note_of_bytes(note, MAX_PROOF_BYTES + 1 - len(proof(note=b"")))
    yield case("one-byte-too-long", "ProofInvalid", proof=proof(note=long))
    yield case("note-one-byte-too-long", "CheckpointInvalid", proof=proof(note=note_of_bytes(note, MAX_NOTE + 1)))
    yield case("note-is-none", "CheckpointInvalid", proof=proof(note=b"x"))
    yield case("newline-behind-the-leaf", "ProofInvalid", leaf=good.leaf + b"\n")
    none = POLICY.replace("quorum departments", "quorum none")
    yield ReceiptCase("policy-without-quorum", "QuorumNotMet", good, none)
    yield ReceiptCase("leaf-too-long-without-quorum", "QuorumNotMet", Receipt(b" " * 16385, good.proof), none)
    yield from _of_bad_logs(log)


def _of_bad_logs(log: WitnessedLog) -> Iterator[ReceiptCase]:
    """Of leaves that the log duly signed: inclusion holds, and only what follows it finds the defect."""
    leaves = log.leaves
    moved = [leaves[1], leaves[0], *leaves[2:]]
    yield ReceiptCase("seq-is-not-index", "ProofInvalid", signed_receipt(moved, 0))
    for name, error, leaf in (
        ("signed-leaf-is-not-canonical", "EntryInvalid", b" " + leaves[2]),
        ("signed-leaf-has-a-field-too-many", "EntryInvalid", leaves[2].replace(b'"body":{', b'"body":{"a":1,')),
        ("signed-leaf-of-another-log", "LogMismatch", leaves[2].replace(b".test/", b".evil/")),
        ("signed-leaf-too-long", "EntryInvalid", b" " * (MAX_LEAF + 1)),
    ):
        assert leaf != leaves[2]
        yield ReceiptCase(name, error, signed_receipt([*leaves[:2], leaf, *leaves[3:]], 2))


def good_receipts(log: WitnessedLog) -> Iterator[tuple[str, Receipt]]:
    """At the edge of a rule."""
    alone = log.leaves[0].replace(b"0" * 64, b"ab" * 32)
    yield "tree-of-one-leaf", signed_receipt(log.leaves[:1], 0)
    yield "first-entry-with-a-hash-before-it", signed_receipt([alone], 0)
    yield "neighbours-that-are-no-entries", signed_receipt([b"", log.leaves[1], b"x"], 1)


def _moved_time(note: bytes) -> bytes:
    parsed = Note.parse(note)
    witness = parsed.signatures[1]
    seconds = (int.from_bytes(witness.signature[:8]) + 60).to_bytes(8)
    moved = type(witness)(witness.name, witness.key_id, seconds + witness.signature[8:])
    return Note(parsed.text, (parsed.signatures[0], moved, *parsed.signatures[2:])).encode()
