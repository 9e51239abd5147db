"""The reverse: our parser of notes, checkpoints and proofs on entries that a running Rekor log published.

Rekor's first version signs with ECDSA (signature type 0x02 of c2sp.org/signed-note). Our log signs with Ed25519 alone,
on purpose: its signatures are not malleable, and a reader needs one algorithm. So ECDSA is verified here, in the test,
over the text that our parser hands out, and nowhere in the product; everything else is the product's own code. Where
the entries come from: tests/vectors/rekor/README.md.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from ledger.checkpoint import open_checkpoint
from ledger.entry import leaf_hash, parse
from ledger.errors import (
    EntryInvalid,
    KeyInvalid,
    LogMismatch,
    PolicyInvalid,
    ProofInvalid,
    SignatureInvalid,
)
from ledger.merkle import verify_inclusion
from ledger.note import Note, NoteSignature, SignatureType, Signer, VerifierKey
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from ledger.receipt import Receipt
from ledger.tree import Frontier
from ledger.verify import verify_receipt
from tests.conformance.published_rekor import (
    FIXTURE,
    KEY_ID,
    NAME,
    SPKI,
    PublishedEntry,
    Refused,
    Step,
    judge,
    load,
    verify_signature,
)
from tests.support.flipped_bits import flipped
from tests.support.witnessed_log import policy_text, signer_from_seed, with_signatures

ENTRIES = load()
SMALL = ENTRIES[0]
"""The one whose every bit is tried."""
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.size}")


def refusing_steps(cases: Iterable[tuple[bytes, TlogProof]]) -> dict[Step | None, int]:
    """How many cases each step refused; None counts those that none did."""
    found: dict[Step | None, int] = defaultdict(int)
    for body, proof in cases:
        try:
            judge(body, proof)
            found[None] += 1
        except Refused as refused:
            found[refused.step] += 1
    return dict(found)


def with_signature(note: Note, signature: bytes) -> Note:
    """The note with another signature under the same name and key id."""
    (line,) = note.signatures
    return Note(note.text, (NoteSignature(line.name, line.key_id, signature),))


def of_other_index(entry: PublishedEntry) -> Iterator[tuple[bytes, TlogProof]]:
    """The index with each of the 53 bits flipped that ours can have."""
    return ((entry.body, replace(entry.proof, index=entry.proof.index ^ 1 << bit)) for bit in range(53))


def of_other_hashes(entry: PublishedEntry) -> Iterator[tuple[bytes, TlogProof]]:
    for at, value in enumerate(entry.proof.hashes):
        for mutated in flipped(value):
            hashes = (*entry.proof.hashes[:at], mutated, *entry.proof.hashes[at + 1 :])
            yield entry.body, replace(entry.proof, hashes=hashes)


def of_other_notes(entry: PublishedEntry) -> Iterator[tuple[bytes, TlogProof]]:
    return ((entry.body, replace(entry.proof, note=mutated)) for mutated in flipped(entry.proof.note))


@each_entry
def test_published_entry_is_accepted(entry: PublishedEntry) -> None:
    checkpoint = judge(entry.body, entry.proof)
    assert checkpoint.origin.startswith(f"{NAME} - ")
    assert (checkpoint.size, checkpoint.root) == (entry.size, entry.root)
    assert Note.parse(entry.proof.note).encode() == entry.proof.note
    assert checkpoint.text() == Note.parse(entry.proof.note).text


def test_entries_are_of_several_trees_and_shards() -> None:
    heads = [judge(entry.body, entry.proof) for entry in ENTRIES]
    assert len({head.origin for head in heads}) == 2
    assert len({head.size for head in heads}) == len(ENTRIES) == 5
    assert max(head.size for head in heads) > 7 * 10**8


@each_entry
def test_no_flipped_bit_of_a_proof_is_accepted(entry: PublishedEntry) -> None:
    """The index and each hash are refused by inclusion. The note is refused by its form or its signature: no altered
    text comes as far as being read as a checkpoint.
    """
    assert refusing_steps(of_other_index(entry)) == {Step.INCLUSION: 53}
    assert refusing_steps(of_other_hashes(entry)) == {Step.INCLUSION: len(entry.proof.hashes) * 256}
    of_notes = refusing_steps(of_other_notes(entry))
    assert of_notes.keys() == {Step.NOTE, Step.SIGNATURE}
    assert sum(of_notes.values()) == len(entry.proof.note) * 8


def test_no_flipped_bit_of_a_body_is_accepted() -> None:
    bodies = ((mutated, SMALL.proof) for mutated in flipped(SMALL.body))
    assert refusing_steps(bodies) == {Step.INCLUSION: len(SMALL.body) * 8}


def test_no_flipped_bit_of_the_written_proof_is_accepted() -> None:
    """As c2sp.org/tlog-proof text: what can still be read, another step refuses."""
    cases, malformed = [], 0
    for mutated in flipped(SMALL.proof.encode()):
        try:
            cases.append((SMALL.body, TlogProof.parse(mutated)))
        except ProofInvalid:
            malformed += 1
    found = refusing_steps(cases)
    assert malformed > 1000
    assert found.keys() == {Step.NOTE, Step.SIGNATURE, Step.INCLUSION}


def test_inclusion_alone_does_not_bind_the_size() -> None:
    """So size and root come from the signed checkpoint, and what stands beside a proof is believed by nobody. An index
    far from the tree's end has the same path in other sizes: the leaf of one of these entries in sixteen of them, four
    of which differ in one bit from the true one.
    """

    def holds(entry: PublishedEntry, size: int) -> bool:
        proof = entry.proof
        try:
            verify_inclusion(proof.index, size, leaf_hash(entry.body), proof.hashes, entry.root)
        except ProofInvalid:
            return False
        return True

    flips = [[bit for bit in range(53) if holds(entry, entry.size ^ 1 << bit)] for entry in ENTRIES]
    assert flips == [[], [], [], [], [0, 1, 2, 3]]
    last = ENTRIES[-1]
    assert sum(holds(last, size) for size in range(last.proof.index, last.size + 1000)) == 16
    for bit in range(53):
        text = last.proof.note.replace(str(last.size).encode(), str(last.size ^ 1 << bit).encode(), 1)
        assert refusing_steps([(last.body, replace(last.proof, note=text))]) == {Step.SIGNATURE: 1}


@each_entry
def test_malleable_signature(entry: PublishedEntry) -> None:
    """What holds exactly: no flipped bit of these signatures verifies, and only strict DER is read; but of an ECDSA
    signature (r, s) everybody can make a second one, (r, n - s), over the same text. It says nothing new, as the text
    is the same; but a note's bytes are no name for it. Ed25519 as we verify it refuses such a twin (RFC 8032, S < L).
    """
    note = Note.parse(entry.proof.note)
    signature = note.signatures[0].signature
    r, s = decode_dss_signature(signature)
    twin = with_signature(note, encode_dss_signature(r, P256_ORDER - s))
    assert twin.encode() != entry.proof.note
    assert judge(entry.body, replace(entry.proof, note=twin.encode())).size == entry.size
    longer = bytes([signature[0], signature[1] + 1]) + signature[2:] + b"\x00"
    for other in (signature + b"\x00", longer, signature[:-1], encode_dss_signature(s, r)):
        with pytest.raises(Refused) as caught:
            verify_signature(with_signature(note, other))
        assert caught.value.step is Step.SIGNATURE


def test_our_own_signatures_have_no_such_twin() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    signer = signer_from_seed("log.example", SignatureType.ED25519, bytes(32))
    signature = signer.sign(b"text\n").signature
    scalar = int.from_bytes(signature[32:], "little")
    signer.verifier_key.verify(b"text\n", signature)
    for other in (scalar + order, order - scalar):
        with pytest.raises(SignatureInvalid):
            signer.verifier_key.verify(b"text\n", signature[:32] + other.to_bytes(32, "little"))


def test_frontier_grows_from_a_published_path() -> None:
    """The path of a tree's last leaf are the complete subtrees before it: from them our frontier makes the root that
    the log signed.
    """
    last = [entry for entry in ENTRIES if entry.proof.index == entry.size - 1]
    assert len(last) == 2
    for entry in last:
        before = Frontier(entry.proof.index, entry.proof.hashes[::-1])
        grown, _ = before.extend([leaf_hash(entry.body)])
        assert (grown.size, grown.root()) == (entry.size, entry.root)


@each_entry
def test_receipt_of_theirs_goes_as_far_as_our_format(entry: PublishedEntry) -> None:
    """Section 8 of docs/ledger-format.md: steps 1 and 2 (forms of proof and note), 7 (length) and 8 (inclusion) hold of
    theirs. Step 3 refuses it, as no policy of ours can name an ECDSA key; step 4 would, as their origin is not their
    key's name, and cannot be one of ours; step 9 would, as the leaf is no entry of ours.
    """
    receipt = Receipt(entry.body, entry.proof.encode())
    proof = TlogProof.parse(receipt.proof)
    assert proof == entry.proof
    assert judge(receipt.leaf, proof).size == entry.size
    with pytest.raises(SignatureInvalid):
        verify_receipt(receipt, LogPolicy.parse(policy_text()))
    impostor = Signer.generate(NAME, SignatureType.ED25519)
    note = Note.parse(proof.note)
    with pytest.raises(LogMismatch):
        open_checkpoint(Note(note.text, (impostor.sign(note.text),)), impostor.verifier_key)
    with pytest.raises(EntryInvalid):
        parse(receipt.leaf)


def test_their_key_is_none_of_ours() -> None:
    """Its type is refused, and so is its log's origin as the name of a key."""
    encoded = base64.b64encode(b"\x02" + SPKI).decode()
    written = f"{NAME}+{KEY_ID.hex()}+{encoded}"
    with pytest.raises(KeyInvalid):
        VerifierKey.parse(written)
    with pytest.raises(PolicyInvalid):
        LogPolicy.parse(f"log {written}\nquorum none\n")
    with pytest.raises(KeyInvalid):
        VerifierKey(judge(SMALL.body, SMALL.proof).origin, SignatureType.ED25519, bytes(32))


def test_witness_lines_on_a_published_note_change_nothing() -> None:
    """A line by a key that the reader does not know is passed over; a second one by the log's is refused."""
    note = Note.parse(SMALL.proof.note)
    cosigned = with_signatures(
        note,
        Signer.generate("witness.example", SignatureType.COSIGNATURE)
        .cosign(note.text, datetime(2026, 11, 25, tzinfo=UTC))
        .line(),
    )
    assert judge(SMALL.body, replace(SMALL.proof, note=cosigned.encode())).size == SMALL.size
    twice = with_signatures(note, note.signatures[0].line())
    assert refusing_steps([(SMALL.body, replace(SMALL.proof, note=twice.encode()))]) == {Step.SIGNATURE: 1}


def test_fixture_is_the_one_that_was_extracted() -> None:
    digest = hashlib.sha256(FIXTURE.read_bytes()).hexdigest()
    assert digest in (FIXTURE.parent / "README.md").read_text("utf-8")
