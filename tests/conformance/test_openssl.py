"""OpenSSL's command line verifies a checkpoint's signature and its cosignatures, from the bytes of the note alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.strangers import program, run
from tests.support.sample_log import COSIGNED_AT, sample_log
from tests.support.witnessed_log import QUORUM, log_signer, witness_signer

pytestmark = pytest.mark.oracles

SPKI = bytes.fromhex("302a300506032b6570032100")
"""What DER puts in front of an Ed25519 public key (RFC 8410)."""
PREFIX = b"cosignature/v1\ntime %d\n"


@pytest.fixture(scope="module")
def openssl() -> str:
    return program("openssl")


def signatures(note: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Raw public key, message and Ed25519 signature of each line, as docs/ledger-format.md says."""
    text, _, lines = note.rpartition(b"\n\n")
    text += b"\n"
    keys = [log_signer("the log"), *(witness_signer(name) for name in QUORUM)]
    for line, key in zip(lines.splitlines(), keys, strict=True):
        raw = base64.b64decode(line.split(b" ")[2])[4:]
        message = text if len(raw) == 64 else PREFIX % int.from_bytes(raw[:8]) + text
        yield key.verifier_key.public, message, raw[-64:]


def verifies(openssl: str, folder: Path, public: bytes, message: bytes, signature: bytes) -> bool:
    for name, data in (("key", SPKI + public), ("message", message), ("signature", signature)):
        (folder / name).write_bytes(data)
    command = [openssl, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", folder / "key", "-rawin"]
    done = run(*command, "-in", folder / "message", "-sigfile", folder / "signature")
    return done.returncode == 0 and b"Verified Successfully" in done.stdout


def test_signatures_verify(openssl: str, tmp_path: Path) -> None:
    lines = list(signatures(sample_log().note(COSIGNED_AT)))
    assert len(lines) == 4
    assert all(verifies(openssl, tmp_path, *line) for line in lines)


@pytest.mark.parametrize("line", [0, 1], ids=["log", "witness"])
def test_flipped_bits_do_not_verify(openssl: str, tmp_path: Path, line: int) -> None:
    """One bit of every byte of message and signature, each time another; a process for each is what takes time."""
    public, message, signature = list(signatures(sample_log().note(COSIGNED_AT)))[line]
    for at in range(len(message)):
        mutated = bytearray(message)
        mutated[at] ^= 1 << at % 8
        assert not verifies(openssl, tmp_path, public, bytes(mutated), signature)
    for at in range(len(signature)):
        mutated = bytearray(signature)
        mutated[at] ^= 1 << at % 8
        assert not verifies(openssl, tmp_path, public, message, bytes(mutated))
