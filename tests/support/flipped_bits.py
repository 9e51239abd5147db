"""Data with one bit changed: whatever is signed or proven must refuse it."""

from __future__ import annotations

from collections.abc import Iterator


def with_flipped_bit(data: bytes, bit: int) -> bytes:
    """Bit 0 is the lowest of the first byte."""
    altered = bytearray(data)
    altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)


def flipped(data: bytes) -> Iterator[bytes]:
    """Each bit in turn."""
    return (with_flipped_bit(data, bit) for bit in range(8 * len(data)))
