"""Checkpoints; malformed ones are in the vectors (bad-notes.json)."""

from __future__ import annotations

import pytest

from ledger.checkpoint import Checkpoint, open_checkpoint, open_signed
from ledger.errors import CheckpointInvalid, LogMismatch, SignatureInvalid
from ledger.merkle import EMPTY_ROOT, MAX_TREE
from ledger.note import Note, SignatureType
from tests.support.sample_log import COSIGNED_AT
from tests.support.witnessed_log import ORIGIN, log_signer, signer_from_seed, witness_signer

CHECKPOINT = Checkpoint(ORIGIN, 1235, bytes(range(32)))
LOG, FORMER = log_signer("the log"), log_signer("its former key")


def test_exact_text() -> None:
    assert CHECKPOINT.text() == b"consentgate.test/ledger\n1235\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


@pytest.mark.parametrize("size", [0, 1, 10, MAX_TREE])
def test_round_trip(size: int) -> None:
    checkpoint = Checkpoint(ORIGIN, size, EMPTY_ROOT)
    assert Checkpoint.parse(checkpoint.text()) == checkpoint
    assert open_checkpoint(checkpoint.sign(LOG), LOG.verifier_key) == checkpoint


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        CHECKPOINT.text()[:-1],
        CHECKPOINT.text() + b"\n",
        CHECKPOINT.text().replace(b"1235", b"+1235"),
        CHECKPOINT.text().replace(b"1235", b" 1235"),
        CHECKPOINT.text().replace(b"1235", b"1_235"),
        CHECKPOINT.text().replace(b"1235", "１２３５".encode()),
        CHECKPOINT.text().replace(b"1235", b""),
        CHECKPOINT.text().replace(b"1235", b"9007199254740992"),
        CHECKPOINT.text().replace(b"=", b""),
        CHECKPOINT.text().replace(b"8=", b"9="),
        CHECKPOINT.text().replace(b"test/", b"\xff/"),
    ],
)
def test_malformed(text: bytes) -> None:
    with pytest.raises(CheckpointInvalid):
        Checkpoint.parse(text)


def test_a_key_signs_only_for_its_own_origin() -> None:
    with pytest.raises(LogMismatch):
        CHECKPOINT.sign(signer_from_seed("other.test/ledger", SignatureType.ED25519, bytes(32)))


def test_absent_and_false_signatures() -> None:
    note = CHECKPOINT.sign(LOG)
    with pytest.raises(SignatureInvalid, match="absent"):
        open_checkpoint(note, FORMER.verifier_key)
    with pytest.raises(SignatureInvalid, match="verify"):
        open_checkpoint(Note(note.text.replace(b"1235", b"1236"), note.signatures), LOG.verifier_key)


def test_signed_text_of_another_origin() -> None:
    text = Checkpoint("other.test/ledger", 1, EMPTY_ROOT).text()
    with pytest.raises(LogMismatch):
        open_checkpoint(Note(text, (LOG.sign(text),)), LOG.verifier_key)


def test_only_the_signature_of_the_log_is_kept() -> None:
    note = CHECKPOINT.sign(FORMER)
    crowded = Note(note.text, (witness_signer("tax").cosign(note.text, COSIGNED_AT), *note.signatures))
    assert open_signed(crowded, [LOG.verifier_key, FORMER.verifier_key]) == (note, CHECKPOINT)
    with pytest.raises(SignatureInvalid):
        open_signed(crowded, [LOG.verifier_key])
