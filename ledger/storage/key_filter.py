"""Which idempotency keys were certainly never recorded: a Bloom filter (Bloom 1970) in memory.

Nearly every key of an append is new, and to say so the index would have to ask all its blocks. The filter says it of
all but some per thousand of new keys (some per cent in a log of a hundred million), and never of one that it was given.
It lives as long as one process, and hashes with Python's own, whose seed nobody outside knows.
"""

from __future__ import annotations

from collections.abc import Iterable

BITS_PER_KEY = 16
ROOM = 4
"""It is made for so many times the keys that there are: with more, it is still right, and says less."""
LEAST_KEYS = 1 << 20
"""It is made for at least so many keys (2 MB)."""
MOST_KEYS = 1 << 26
"""And for at most so many (128 MB)."""
_SHIFTS = (0, 17, 34)
"""Where in a key's 64-bit hash its places are read."""


class KeyFilter:
    """Used by one thread at a time."""

    def __init__(self, keys: Iterable[str], size: int) -> None:
        """Has these keys, about `size` of them."""
        bits = min(max(LEAST_KEYS, ROOM * size), MOST_KEYS) * BITS_PER_KEY
        self._mask = (1 << (bits - 1).bit_length()) - 1
        self._bits = bytearray((self._mask + 1) // 8)
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        """From now on `may_have` says yes to it."""
        hashed, mask, bits = hash(key), self._mask, self._bits
        for shift in _SHIFTS:
            place = hashed >> shift & mask
            bits[place >> 3] |= 1 << (place & 7)

    def may_have(self, key: str) -> bool:
        """False only for a key that was never added."""
        hashed, mask, bits = hash(key), self._mask, self._bits
        for shift in _SHIFTS:
            place = hashed >> shift & mask
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
        return True
