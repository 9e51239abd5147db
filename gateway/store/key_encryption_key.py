"""The key-encryption key: 256 random bits in a file of its own, under which all data keys are wrapped.

It stands apart from both databases: whoever has them but not this file reads nothing. The file is one line of text,
`consentgate-key-encryption-key-v1:` and 64 hex digits, readable by its owner only. What is used is derived from it by
HKDF-SHA256, one key per use; the id that the key database remembers is derived, too, and says nothing about the key.

Left out: passphrases (the process starts unattended) and hardware tokens.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store.sealing import KEY_BYTES, decrypt, encrypt
from ledger.durable_files import write_new

ENTRY = "subject_keys.key_encryption_key"
"""How the configuration calls the file."""
SUCCESSOR_SUFFIX = ".new"
"""While keys are wrapped anew, the next key stands beside the present one under its name with this suffix."""
ID_BYTES = 16
OTHERS_MAY = 0o077

_LINE = re.compile(r"consentgate-key-encryption-key-v1:([0-9a-f]{64})\n?")
_UNUSABLE = "Make one with `gateway keygen`, or restore it from its own backup; mode 0600."
_TAKEN = "A key is there already; without it nothing that was sealed can be read, so it is never overwritten."


@dataclass(frozen=True)
class KeyEncryptionKey:
    """Wraps and unwraps."""

    id: str
    _wrapping: bytes = field(repr=False)

    def wrap(self, secret: bytes, name: str) -> bytes:
        """A wrapped key that only unwraps under the same `name`."""
        return encrypt(self._wrapping, secret, _associated(name))

    def unwrap(self, wrapped: bytes, name: str) -> bytes:
        """Raises STORE_INTEGRITY unless this key wrapped exactly this under exactly this name."""
        return decrypt(self._wrapping, wrapped, _associated(name), "subject_keys")


def load(path: Path) -> KeyEncryptionKey:
    """The key in `path`; raises CONFIG_INVALID for a missing, malformed or widely readable file."""
    try:
        with path.open(encoding="ascii") as file:
            widely = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & OTHERS_MAY
            line = _LINE.fullmatch(file.read(1024))
    except (OSError, ValueError) as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=ENTRY, hint=_UNUSABLE) from error
    if widely or line is None:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=ENTRY, hint=_UNUSABLE)
    return _from_secret(bytes.fromhex(line[1]))


def create(path: Path) -> KeyEncryptionKey:
    """Writes a fresh key, durable and readable by its owner only; never overwrites one."""
    secret = secrets.token_bytes(KEY_BYTES)
    try:
        write_new(path, f"consentgate-key-encryption-key-v1:{secret.hex()}\n".encode())
    except FileExistsError as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=ENTRY, hint=_TAKEN) from error
    except OSError as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field=ENTRY) from error
    return _from_secret(secret)


def successor(path: Path) -> Path:
    """Where the next key stands until it takes the place of the present one."""
    return path.with_name(path.name + SUCCESSOR_SUFFIX)


def _from_secret(secret: bytes) -> KeyEncryptionKey:
    return KeyEncryptionKey(_derived(secret, b"id", ID_BYTES).hex(), _derived(secret, b"wrap", KEY_BYTES))


def _derived(secret: bytes, use: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt=None, info=b"consentgate/key-encryption-key/v1/" + use).derive(secret)


def _associated(name: str) -> bytes:
    return f"consentgate/wrapped-key/v1\x00{name}".encode()
