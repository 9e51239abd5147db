"""Inclusion proofs as text (c2sp.org/tlog-proof@v1): index, audit path, checkpoint. The `extra` line is
refused: nothing here needs data that no signature covers.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from ledger.errors import ProofInvalid
from ledger.merkle import HASH_BYTES, MAX_PROOF
from ledger.note import MAX_NOTE

HEADER = b"c2sp.org/tlog-proof@v1\n"
MAX_PROOF_BYTES = MAX_NOTE + 4096
"""Largest proof in bytes: a note, an index and 63 hashes of 45 characters."""

_INDEX = re.compile(rb"index (0|[1-9][0-9]{0,15})")
_HASH = re.compile(rb"[A-Za-z0-9+/]{43}=")


@dataclass(frozen=True)
class TlogProof:
    """Where a leaf is, the path to the root, and the note that names the root; unverified."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes

    def encode(self) -> bytes:
        """The text form."""
        path = b"".join(base64.b64encode(value) + b"\n" for value in self.hashes)
        return HEADER + f"index {self.index}\n".encode() + path + b"\n" + self.note

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Reads the text form; raises ProofInvalid."""
        if len(data) > MAX_PROOF_BYTES:
            raise ProofInvalid("proof is too long")
        head, blank, note = data.partition(b"\n\n")
        if not head.startswith(HEADER) or not blank:
            raise ProofInvalid("not a c2sp.org/tlog-proof@v1 without extra data")
        lines = head.removeprefix(HEADER).split(b"\n")
        index = _INDEX.fullmatch(lines[0])
        if index is None or len(lines) - 1 > MAX_PROOF:
            raise ProofInvalid("malformed index, or too many hashes")
        return cls(int(index[1]), tuple(_parse_hash(line) for line in lines[1:]), note)


def _parse_hash(line: bytes) -> bytes:
    raw = base64.b64decode(line) if _HASH.fullmatch(line) else b""
    if len(raw) != HASH_BYTES or base64.b64encode(raw) != line:
        raise ProofInvalid("a line of the path is not a canonical 32-byte hash")
    return raw
