"""Bad checkpoint notes, named by their defect."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.note import Note, SignatureType
from tests.support.sample_log import COSIGNED_AT
from tests.support.witnessed_log import ORIGIN, QUORUM, WitnessedLog, log_signer, signer_from_seed, witness_signer
from tests.vectors.ledger.log import other_spelling


@dataclass(frozen=True)
class NoteCase:
    """A note that no policy check accepts."""

    name: str
    error: str
    note: bytes


def note_cases(log: WitnessedLog) -> Iterator[NoteCase]:
    """Bad checkpoint notes by defect."""
    good = log.note(COSIGNED_AT)
    text, signatures = good.rsplit(b"\n\n", 1)
    lines = signatures.splitlines(keepends=True)

    def cosigned(text: bytes) -> bytes:
        """Another text, duly signed by everybody."""
        cosignatures = (witness_signer(name).cosign(text, COSIGNED_AT) for name in QUORUM)
        return Note(text, (log_signer("the log").sign(text), *cosignatures)).encode()

    def sized(size: str) -> bytes:
        return cosigned(f"{ORIGIN}\n{size}\n".encode() + root_line + b"\n")

    root_line = text.split(b"\n")[2]
    head = f"{ORIGIN}\n{len(log.leaves)}\n".encode()
    yield NoteCase("empty", "CheckpointInvalid", b"")
    yield NoteCase("no-signatures", "CheckpointInvalid", text + b"\n")
    yield NoteCase("no-blank-line", "CheckpointInvalid", text + b"\n" + signatures)
    yield NoteCase("last-newline-missing", "CheckpointInvalid", good[:-1])
    yield NoteCase("carriage-returns", "CheckpointInvalid", good.replace(b"\n", b"\r\n"))
    yield NoteCase("control-character", "CheckpointInvalid", good.replace(b"\n", b"\x07\n", 1))
    yield NoteCase("too-long", "CheckpointInvalid", good + lines[0] * 700)
    yield NoteCase("sixty-five-signatures", "CheckpointInvalid", text + b"\n\n" + lines[0] * 65)
    yield NoteCase("hyphen-for-dash", "CheckpointInvalid", good.replace("— ".encode(), b"- ", 1))
    yield NoteCase("signature-without-name", "CheckpointInvalid", good + "— AAAAAAAA\n".encode())
    yield NoteCase("signature-too-short", "CheckpointInvalid", good + "— x AAAAAA==\n".encode())
    yield NoteCase("signature-not-base64", "CheckpointInvalid", good + "— x ????????\n".encode())
    yield NoteCase("signature-unpadded", "CheckpointInvalid", good + "— x AAAAAAAAA\n".encode())
    yield NoteCase("name-with-plus", "CheckpointInvalid", good + "— x+y AAAAAAAA\n".encode())
    yield NoteCase("name-not-utf-8", "CheckpointInvalid", good + "— ".encode() + b"\xff AAAAAAAA\n")
    yield NoteCase("two-blanks", "CheckpointInvalid", good + "— x  AAAAAAAA\n".encode())
    yield NoteCase("log-signed-twice", "SignatureInvalid", good + lines[0])
    yield NoteCase("witness-signed-twice", "SignatureInvalid", good + lines[1])
    yield NoteCase("text-altered", "SignatureInvalid", good.replace(b"\n20\n", b"\n21\n", 1))
    yield NoteCase("fourth-witness-lies", "SignatureInvalid", good + _broken_cosignature())
    yield NoteCase("witness-signs-as-log", "SignatureInvalid", _witness_as_log(text + b"\n", lines))
    yield NoteCase("cosignature-after-year-9999", "SignatureInvalid", text + b"\n\n" + lines[0] + _late(text + b"\n"))
    yield NoteCase("extension-line", "CheckpointInvalid", cosigned(text + b"\nextra\n"))
    yield NoteCase("line-missing", "CheckpointInvalid", cosigned(head))
    yield NoteCase("size-with-zero-in-front", "CheckpointInvalid", sized("020"))
    yield NoteCase("size-negative", "CheckpointInvalid", sized("-1"))
    yield NoteCase("size-too-large", "CheckpointInvalid", sized(str(2**53)))
    yield NoteCase("root-short", "CheckpointInvalid", cosigned(head + base64.b64encode(bytes(31)) + b"\n"))
    yield NoteCase("root-not-canonical", "CheckpointInvalid", cosigned(head + other_spelling(root_line) + b"\n"))
    yield NoteCase("origin-of-another-log", "LogMismatch", cosigned(b"other.test/ledger\n20\n" + root_line + b"\n"))


def _broken_cosignature() -> bytes:
    """By a known witness beyond the quorum: it must verify all the same."""
    return witness_signer("regulator").cosign(b"something else\n", COSIGNED_AT).line()


def _late(text: bytes) -> bytes:
    """True signatures with a time that no calendar shows."""
    lines = []
    for name in QUORUM:
        signer, seconds = witness_signer(name), 253402300800
        signature = signer.private.sign(f"cosignature/v1\ntime {seconds}\n".encode() + text)
        key = signer.verifier_key
        raw = base64.b64encode(key.key_id + seconds.to_bytes(8) + signature)
        lines.append(f"— {key.name} ".encode() + raw + b"\n")
    return b"".join(lines)


def _witness_as_log(text: bytes, lines: list[bytes]) -> bytes:
    """The log's key as a witness key: same key, other type, hence another key id."""
    seed = log_signer("the log").private.private_bytes_raw()
    signer = signer_from_seed(ORIGIN, SignatureType.COSIGNATURE, seed)
    return text + b"\n" + signer.cosign(text, COSIGNED_AT).line() + b"".join(lines[1:])
