"""Ed25519 signatures on which libraries are known to differ, by the vectors' log key, and public keys that are none.

RFC 8032 section 5.1.7, without the factor 8: S is below L, and R is, byte for byte, the encoding of [S]B - [k]A.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORDER = 2**252 + 27742317777372353535851937790883648493
"""L, of the base point."""
FIELD = 2**255 - 19
NEUTRAL = (1).to_bytes(32, "little")
"""The neutral element of the curve, encoded: a point that nobody would take for R, and may."""
NEUTRAL_BEYOND = (FIELD + 1).to_bytes(32, "little")
"""The same with a y that is not below the field's prime."""
NO_POINT = (2).to_bytes(32, "little")
"""No x belongs to this y."""
SMALL_ORDER = {
    "neutral": NEUTRAL,
    "neutral-with-sign": (1 | 1 << 255).to_bytes(32, "little"),
    "neutral-beyond-the-prime": NEUTRAL_BEYOND,
    "order-2": (FIELD - 1).to_bytes(32, "little"),
    "order-4": bytes(32),
    "order-4-beyond-the-prime": (FIELD | 1 << 255).to_bytes(32, "little"),
    "order-8": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "order-8-other": bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"),
}
"""Public keys under which anybody can sign."""
_NONCE = 987654321
_MIXED = bytes.fromhex("6999d5cb5126005c325892f1c6eab824b310708befff12fbaf45dda050cb12f0")
"""[_NONCE]B and a point of order 8, added."""


def with_larger_s(signature: bytes) -> bytes:
    """The same signature with S + L for S."""
    return signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")


def with_neutral_r(key: Ed25519PrivateKey, message: bytes, encoded: bytes = NEUTRAL) -> bytes:
    """R is the neutral element, in this encoding; good but for the encoding."""
    return _signature(key, message, encoded, 0)


def holds_eightfold_only(key: Ed25519PrivateKey, message: bytes) -> bytes:
    """Good for a reader that multiplies both sides by 8, as RFC 8032 allows, and for no other."""
    return _signature(key, message, _MIXED, _NONCE)


def _signature(key: Ed25519PrivateKey, message: bytes, encoded: bytes, nonce: int) -> bytes:
    digest = bytearray(hashlib.sha512(key.private_bytes_raw()).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 127 | 64
    hashed = hashlib.sha512(encoded + key.public_key().public_bytes_raw() + message).digest()
    product = int.from_bytes(hashed, "little") * int.from_bytes(digest, "little")
    return encoded + ((nonce + product) % ORDER).to_bytes(32, "little")
