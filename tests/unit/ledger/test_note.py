"""Signed notes, keys and cosignatures; known answers of Go's sumdb/note and of OpenSSL."""

from __future__ import annotations

import base64
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import CheckpointInvalid, KeyInvalid, SignatureInvalid
from ledger.note import (
    MAX_NOTE,
    MAX_SIGNATURES,
    Note,
    NoteSignature,
    SignatureType,
    Signer,
    VerifierKey,
    cosigned_message,
    parse_signatures,
)
from tests.support.witnessed_log import signer_from_seed, with_signatures

NEUMANN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
"""The example in the documentation of golang.org/x/mod/sumdb/note."""
TEXT = b"consentgate.test/ledger\n0\nroot\n"
LOG = signer_from_seed("consentgate.test/ledger", SignatureType.ED25519, bytes(range(32)))
WITNESS = signer_from_seed("tax.witness.test", SignatureType.COSIGNATURE, bytes(range(32, 64)))
MOMENT = datetime(2026, 11, 24, 4, 0, 0, 999_999, tzinfo=UTC)


def test_note_made_by_go_verifies() -> None:
    key, note = VerifierKey.parse(NEUMANN_KEY), Note.parse(NEUMANN_NOTE)
    signature = key.find(note)
    assert signature is not None
    key.verify(note.text, signature.signature)
    assert str(key) == NEUMANN_KEY
    assert note.encode() == NEUMANN_NOTE
    with pytest.raises(SignatureInvalid):
        key.verify(note.text.replace(b"answer", b"Answer"), signature.signature)


def test_round_trip() -> None:
    note = Note(TEXT, (LOG.sign(TEXT), WITNESS.cosign(TEXT, MOMENT)))
    assert Note.parse(note.encode()) == note


def test_text_may_hold_empty_lines() -> None:
    text = b"one\n\n\ntwo\n"
    assert Note.parse(Note(text, (LOG.sign(text),)).encode()).text == text


def test_further_signatures() -> None:
    note = with_signatures(Note(TEXT, (LOG.sign(TEXT),)), WITNESS.cosign(TEXT, MOMENT).line())
    assert [signature.name for signature in note.signatures] == [LOG.name, WITNESS.name]
    with pytest.raises(CheckpointInvalid):
        with_signatures(note, b"")


def test_most_signatures() -> None:
    line = LOG.sign(TEXT).line()
    assert len(parse_signatures(line * MAX_SIGNATURES)) == MAX_SIGNATURES
    with pytest.raises(CheckpointInvalid):
        parse_signatures(line * (MAX_SIGNATURES + 1))


def test_longest_note() -> None:
    tail = Note(b"", (LOG.sign(b""),)).encode()
    longest = b"x" * (MAX_NOTE - len(tail) - 1) + b"\n" + tail
    assert len(Note.parse(longest).encode()) == MAX_NOTE
    with pytest.raises(CheckpointInvalid):
        Note.parse(b"x" + longest)


def test_find_needs_name_and_key_id() -> None:
    signature = LOG.sign(TEXT)
    renamed = NoteSignature("another.log", signature.key_id, signature.signature)
    rekeyed = NoteSignature(signature.name, b"\x00\x00\x00\x00", signature.signature)
    assert LOG.verifier_key.find(Note(TEXT, (renamed, rekeyed))) is None
    assert LOG.verifier_key.find(Note(TEXT, (renamed, rekeyed, signature))) == signature
    with pytest.raises(SignatureInvalid):
        LOG.verifier_key.find(Note(TEXT, (signature, signature)))


def test_cosignature_time_is_signed_and_in_whole_seconds() -> None:
    signature = WITNESS.cosign(TEXT, MOMENT).signature
    key = WITNESS.verifier_key
    assert key.verify_cosignature(TEXT, signature) == MOMENT.replace(microsecond=0)
    seconds = int(MOMENT.timestamp())
    assert cosigned_message(TEXT, seconds) == b"cosignature/v1\ntime 1795492800\n" + TEXT
    for moved in (seconds - 1, seconds + 1, 0, 253_402_300_800, 2**64 - 1):
        with pytest.raises(SignatureInvalid):
            key.verify_cosignature(TEXT, moved.to_bytes(8) + signature[8:])
    for wrong in (signature[:-1], signature + b"\x00", signature[8:], b""):
        with pytest.raises(SignatureInvalid):
            key.verify_cosignature(TEXT, wrong)


def test_log_and_witness_keys_do_not_stand_in_for_each_other() -> None:
    seed = bytes(range(32))
    as_witness = signer_from_seed(LOG.name, SignatureType.COSIGNATURE, seed)
    assert as_witness.verifier_key.key_id != LOG.verifier_key.key_id
    for misuse in (
        lambda: as_witness.verifier_key.verify(TEXT, LOG.sign(TEXT).signature),
        lambda: LOG.verifier_key.verify_cosignature(TEXT, as_witness.cosign(TEXT, MOMENT).signature),
    ):
        with pytest.raises(SignatureInvalid):
            misuse()
    with pytest.raises(KeyInvalid):
        as_witness.sign(TEXT)
    with pytest.raises(KeyInvalid):
        LOG.cosign(TEXT, MOMENT)


@pytest.mark.parametrize("name", ["", "with blank", "a+b", "a\n", "ü", "a" * 256, "\x7f"])
def test_bad_key_names(name: str) -> None:
    with pytest.raises(KeyInvalid):
        VerifierKey(name, SignatureType.ED25519, bytes(32))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        NEUMANN_KEY.replace("c74f20a3", "c74f20a4"),
        NEUMANN_KEY.replace("c74f20a3", "C74F20A3"),
        NEUMANN_KEY.replace("PeterNeumann", "peterneumann"),
        NEUMANN_KEY[:-4],
        NEUMANN_KEY + "AAAA",
        NEUMANN_KEY[:-1] + "X",
        NEUMANN_KEY + " ",
        "name+00000000+",
        "name+00000000+AQ==",
        "name+00000000+ünicode",
    ],
)
def test_bad_verifier_keys(text: str) -> None:
    with pytest.raises(KeyInvalid):
        VerifierKey.parse(text)


def test_signing_key_files() -> None:
    assert Signer.from_pem(LOG.name, LOG.type, LOG.to_pem()).verifier_key == LOG.verifier_key
    generated = Signer.generate("x", SignatureType.COSIGNATURE)
    assert Signer.from_pem("x", SignatureType.COSIGNATURE, generated.to_pem()).cosign(TEXT, MOMENT) == generated.cosign(
        TEXT, MOMENT
    )
    encrypted = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    curve = generate_ec(SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for pem in (b"", b"not pem", encrypted, curve):
        with pytest.raises(KeyInvalid):
            Signer.from_pem("x", SignatureType.ED25519, pem)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_openssl_verifies_the_signature(tmp_path: Path) -> None:
    public = LOG.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    files = {"key.pem": public, "text": TEXT, "signature": LOG.sign(TEXT).signature}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in text -sigfile signature"
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
    assert "Signature Verified Successfully" in done.stdout


def test_signature_line_form() -> None:
    signature = LOG.sign(TEXT)
    raw = signature.key_id + signature.signature
    assert signature.line() == f"— {LOG.name} {base64.b64encode(raw).decode()}\n".encode()
