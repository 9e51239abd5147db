"""The second place: the last checkpoint that the log signed, kept outside its database.

An old copy of the database, restored by mistake or on purpose, would be behind it; signing over it would fork
the log. Put the file on another disk or volume than the database, and never into the same backup. It must be
written before a signature leaves.

Two slots of 4 KiB are written in turn, in place, each with a digest: a torn write spoils only the older one,
and one `fdatasync` suffices. The file itself appears whole, by a rename: half of one would pass for damage, which
nobody may pass over.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from ledger.checkpoint import Checkpoint, open_signed
from ledger.durable_files import sync_folder
from ledger.errors import CheckpointInvalid, LedgerCorrupt, LedgerError, StorageFailed
from ledger.note import Note, VerifierKey

SLOT_BYTES = 4096
"""One slot: a page, more than ten times a checkpoint with one signature."""
DIGEST_BYTES = 32
NEW_SUFFIX = ".new"
"""Appended to the file's name until it is whole; what a killed process left there is written over."""
SLOTS = 2


class SecondPlace:
    """Reads and writes the file."""

    def __init__(self, path: Path, log_keys: Sequence[VerifierKey]) -> None:
        """`log_keys`: the present key and former ones, so that a change of key does not lose the place."""
        self._path = path
        self._log_keys = tuple(log_keys)
        self._slot = 0
        self._is_name_durable = False

    def read(self) -> tuple[Note, Checkpoint] | None:
        """The newest checkpoint; None if there is no file; LedgerCorrupt if there is one without a valid
        checkpoint, or with one that no key of the log signed.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageFailed(f"cannot read the second place {self._path}: {error.strerror}") from error
        try:
            slots = [self._read_slot(data, slot) for slot in range(SLOTS)]
        except LedgerError as error:  # written whole, as its digest says, and yet not the log's word
            raise LedgerCorrupt(f"the second place {self._path}: {error}") from error
        found = [(item[1].size, slot) for slot, item in enumerate(slots) if item is not None]
        if not found:
            raise LedgerCorrupt(f"the second place {self._path} holds no checkpoint")
        newest = max(found)[1]
        self._slot = 1 - newest
        return slots[newest]

    def write(self, note: Note) -> None:
        """Replaces the older slot, durably; raises StorageFailed, after which either checkpoint may be the
        newest.
        """
        data = note.encode()
        if len(data) > SLOT_BYTES - DIGEST_BYTES:
            raise CheckpointInvalid("a checkpoint does not fit the second place")
        content = hashlib.sha256(data).digest() + data.ljust(SLOT_BYTES - DIGEST_BYTES, b"\x00")
        try:
            self._write_at(content, self._slot * SLOT_BYTES)
        except OSError as error:
            raise StorageFailed(f"cannot write the second place {self._path}: {error.strerror}") from error
        self._slot = 1 - self._slot

    def _write_at(self, content: bytes, offset: int) -> None:
        if self._path.exists():
            self._overwrite(content, offset)
        else:
            self._create(bytes(offset) + content + bytes((SLOTS - 1) * SLOT_BYTES - offset))
        if not self._is_name_durable:
            # Whoever made the file may have been killed before this: so each process does it once.
            sync_folder(self._path.parent)
            self._is_name_durable = True

    def _overwrite(self, content: bytes, offset: int) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            _write_whole(file, content, offset)
            os.fdatasync(file)
        finally:
            os.close(file)

    def _create(self, content: bytes) -> None:
        """Both slots from the start, so that later writes change no metadata."""
        new = f"{self._path}{NEW_SUFFIX}"
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_whole(file, content, 0)
            os.fsync(file)
        finally:
            os.close(file)
        self._is_name_durable = False
        os.rename(new, self._path)

    def _read_slot(self, data: bytes, slot: int) -> tuple[Note, Checkpoint] | None:
        content = data[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES]
        text = content[DIGEST_BYTES:].rstrip(b"\x00")
        if not text or hashlib.sha256(text).digest() != content[:DIGEST_BYTES]:
            return None
        return open_signed(Note.parse(text), self._log_keys)


def _write_whole(file: int, content: bytes, offset: int) -> None:
    """A disk that becomes full may take a part and call it success."""
    if os.pwrite(file, content, offset) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
