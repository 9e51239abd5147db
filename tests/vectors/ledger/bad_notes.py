"""Bad checkpoint notes, named by their defect: form and checkpoint. Signatures are in `bad_signatures`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.note import MAX_NOTE
from tests.support.sample_log import COSIGNED_AT
from tests.support.witnessed_log import ORIGIN, WitnessedLog, policy_text
from tests.vectors.ledger.log import cosigned, other_spelling

POLICY = policy_text()


@dataclass(frozen=True)
class NoteCase:
    """A note that this policy does not accept."""

    name: str
    error: str
    note: bytes
    policy: str = POLICY


def note_cases(log: WitnessedLog) -> Iterator[NoteCase]:
    """Bad checkpoint notes by defect."""
    good = log.note(COSIGNED_AT)
    text, signatures = good.rsplit(b"\n\n", 1)
    lines = signatures.splitlines(keepends=True)

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
    yield NoteCase("one-byte-too-long", "CheckpointInvalid", note_of_bytes(good, MAX_NOTE + 1))
    yield NoteCase("not-utf-8", "CheckpointInvalid", good.replace(b"\n20\n", b"\xff\n20\n", 1))
    yield NoteCase("text-that-ends-at-the-last-empty-line", "SignatureInvalid", good + b"\n" + lines[0])
    yield NoteCase("sixty-five-signatures", "CheckpointInvalid", text + b"\n\n" + lines[0] * 65)
    yield NoteCase("hyphen-for-dash", "CheckpointInvalid", good.replace("— ".encode(), b"- ", 1))
    yield NoteCase("signature-without-name", "CheckpointInvalid", good + "— AAAAAAAA\n".encode())
    yield NoteCase("signature-too-short", "CheckpointInvalid", good + "— x AAAAAA==\n".encode())
    yield NoteCase("signature-not-base64", "CheckpointInvalid", good + "— x ????????\n".encode())
    yield NoteCase("signature-unpadded", "CheckpointInvalid", good + "— x AAAAAAAAA\n".encode())
    yield NoteCase("name-with-plus", "CheckpointInvalid", good + "— x+y AAAAAAAA\n".encode())
    yield NoteCase("name-not-utf-8", "CheckpointInvalid", good + "— ".encode() + b"\xff AAAAAAAA\n")
    yield NoteCase("name-with-line-separator", "CheckpointInvalid", good + "— x\u2028y AAAAAAAA\n".encode())
    yield NoteCase("name-with-next-line", "CheckpointInvalid", good + "— x\u0085y AAAAAAAA\n".encode())
    yield NoteCase("name-begins-with-next-line", "CheckpointInvalid", good + "— \u0085x AAAAAAAA\n".encode())
    yield NoteCase("name-ends-with-no-break-space", "CheckpointInvalid", good + "— x\u00a0 AAAAAAAA\n".encode())
    yield NoteCase("strangers-base64-not-canonical", "CheckpointInvalid", good + "— x AAAAAAB=\n".encode())
    yield NoteCase("two-blanks", "CheckpointInvalid", good + "— x  AAAAAAAA\n".encode())
    yield NoteCase("extension-line", "CheckpointInvalid", cosigned(text + b"\nextra\n"))
    yield NoteCase("line-missing", "CheckpointInvalid", cosigned(head))
    yield NoteCase("size-with-zero-in-front", "CheckpointInvalid", sized("020"))
    yield NoteCase("size-in-full-width-digits", "CheckpointInvalid", sized("２０"))
    yield NoteCase("size-with-plus", "CheckpointInvalid", sized("+20"))
    yield NoteCase("origin-empty", "CheckpointInvalid", cosigned(b"\n20\n" + root_line + b"\n"))
    yield NoteCase("size-negative", "CheckpointInvalid", sized("-1"))
    yield NoteCase("size-too-large", "CheckpointInvalid", sized(str(2**53)))
    yield NoteCase("root-short", "CheckpointInvalid", cosigned(head + base64.b64encode(bytes(31)) + b"\n"))
    yield NoteCase("root-not-canonical", "CheckpointInvalid", cosigned(head + other_spelling(root_line) + b"\n"))
    yield NoteCase("origin-of-another-log", "LogMismatch", cosigned(b"other.test/ledger\n20\n" + root_line + b"\n"))


def note_of_bytes(good: bytes, size: int) -> bytes:
    """The note with a stranger's line up to this length, in which nothing else is wrong."""
    mark, tail = "— ".encode(), b" AAAAAAA=\n"
    return good + mark + b"x" * (size - len(good + mark + tail)) + tail
