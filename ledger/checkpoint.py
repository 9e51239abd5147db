"""Checkpoints (c2sp.org/tlog-checkpoint): origin, tree size, root, as the text of a signed note. Extension
lines are refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import CheckpointInvalid, LogMismatch, SignatureInvalid
from ledger.merkle import HASH_BYTES, MAX_TREE
from ledger.note import Note, Signer, VerifierKey, decode_base64

_SIZE = re.compile(rb"0|[1-9][0-9]{0,15}")
_LINES = 3


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: which log, how many leaves, which root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """The note text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()

    @classmethod
    def parse(cls, text: bytes) -> Checkpoint:
        """Reads a note's text; raises CheckpointInvalid."""
        lines = text.split(b"\n")
        if len(lines) != _LINES + 1 or lines[-1] or not lines[0]:
            raise CheckpointInvalid("a checkpoint has exactly three lines")
        if not _SIZE.fullmatch(lines[1]) or int(lines[1]) > MAX_TREE:
            raise CheckpointInvalid("malformed tree size")
        root = decode_base64(lines[2])
        if len(root) != HASH_BYTES:
            raise CheckpointInvalid("a root has 32 bytes")
        try:
            return cls(lines[0].decode(), int(lines[1]), root)
        except UnicodeDecodeError as error:
            raise CheckpointInvalid("the origin is not UTF-8") from error

    def sign(self, signer: Signer) -> Note:
        """The note with the log's signature; the key's name must be the origin."""
        if signer.name != self.origin:
            raise LogMismatch("a log key signs only for the origin that is its name")
        text = self.text()
        return Note(text, (signer.sign(text),))


def open_checkpoint(note: Note, log_key: VerifierKey) -> Checkpoint:
    """The checkpoint in a note that the log signed; raises SignatureInvalid, CheckpointInvalid,
    LogMismatch.
    """
    signature = log_key.find(note)
    if signature is None:
        raise SignatureInvalid("the log's signature is absent")
    log_key.verify(note.text, signature.signature)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != log_key.name:
        raise LogMismatch("the checkpoint names another log than the key that signed it")
    return checkpoint


def open_signed(note: Note, log_keys: Sequence[VerifierKey]) -> tuple[Note, Checkpoint]:
    """The note with nothing but the signature of whichever of the log's keys signed it, and its checkpoint.

    Raises as `open_checkpoint`.
    """
    for key in log_keys:
        signature = key.find(note)
        if signature is not None:
            return Note(note.text, (signature,)), open_checkpoint(note, key)
    raise SignatureInvalid("the log's signature is absent")
