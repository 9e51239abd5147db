"""Randomness that is the same in every run, so that committed vectors can be made again byte for byte.

**No real key, proof or encryption may be made under it.** `secrets.randbits` and `secrets.randbelow` are replaced, from
which the Paillier engine draws, and ES256 signs by RFC 6979; nonces and salts of the tests come from labels anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

DETERMINISTIC = partial(ECDSA, deterministic_signing=True)
SIGNING_MODULE = "joserfc._rfc7518.jws_algs.ECDSA"


@contextmanager
def fixed_randomness(label: str) -> Iterator[None]:
    """Inside, `secrets` draws from SHAKE256 of `label` and of the number of the draw."""
    numbers = count()

    def randbits(bits: int) -> int:
        stream = hashlib.shake_256(f"fixed randomness {label} {next(numbers)}".encode())
        return int.from_bytes(stream.digest((bits + 7) // 8), "big") >> (-bits % 8)

    def randbelow(bound: int) -> int:
        return randbits(bound.bit_length() + 128) % bound

    draws = patch.multiple("secrets", randbits=randbits, randbelow=randbelow)
    with draws, patch(SIGNING_MODULE, DETERMINISTIC):
        yield
