"""Salted commitments: how a leaf names a sensitive value without showing it (design 3, "Privacy of a
leaf").
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

SALT_BYTES = 32
"""Length of a salt: as long as the HMAC-SHA256 key block strength needs (RFC 2104 section 3)."""


def new_salt() -> bytes:
    """A fresh salt from the operating system; with the value it is the opening of a commitment."""
    return secrets.token_bytes(SALT_BYTES)


def commit(field: str, value: bytes, salt: bytes) -> str:
    """HMAC-SHA256(salt, field ‖ 0x00 ‖ value), 64 hex digits. `field` separates equal values in different
    places.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    if "\x00" in field:
        raise ValueError("a field name holds no zero byte: it would not be told from its value")
    return hmac.new(salt, field.encode() + b"\x00" + value, hashlib.sha256).hexdigest()
