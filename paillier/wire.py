"""Ciphertext columns on the wire: fixed-width big-endian integers, one after the other, in one `bytes` field.

Spec: design 2 (ciphertext checks of step 8 in design 1: 0 < c < n², gcd(c, n) = 1). The count is not part of
the bytes: the receiver knows it from the evidence, and refuses any other length. Packed columns have the same form, one
ciphertext for many companies (`paillier.portfolio`). Left out: compression (ciphertexts are random). Thread-safety:
pure functions.
"""

from collections.abc import Sequence

import gmpy2
from gmpy2 import mpz

from paillier.errors import CiphertextNotUnit, CiphertextOutOfRange, CiphertextWidth
from paillier.public_key import PublicKey


def join(ciphertexts: Sequence[int | mpz], public_key: PublicKey) -> bytes:
    """Concatenate ciphertexts, each `public_key.ciphertext_bytes` wide; `CiphertextOutOfRange` outside (0, n²)."""
    width = public_key.ciphertext_bytes
    check_range(ciphertexts, public_key)
    return b"".join([int(c).to_bytes(width, "big") for c in ciphertexts])


def split(data: bytes, public_key: PublicKey, count: int) -> list[mpz]:
    """Cut `data` into exactly `count` checked ciphertexts; each is in (0, n²) and a unit.

    Raises `CiphertextWidth`, `CiphertextOutOfRange` and `CiphertextNotUnit`, the last two with the index.
    """
    width = public_key.ciphertext_bytes
    if count < 0 or len(data) != count * width:
        raise CiphertextWidth(f"{len(data)} bytes for {count} ciphertexts of {width} bytes")
    view = memoryview(data)
    ciphertexts = [mpz(int.from_bytes(view[start : start + width], "big")) for start in range(0, len(data), width)]
    check_range(ciphertexts, public_key)
    check_units(ciphertexts, public_key)
    return ciphertexts


def check_range(ciphertexts: Sequence[int | mpz], public_key: PublicKey) -> None:
    """Raise `CiphertextOutOfRange` with the index of the first ciphertext outside (0, n²)."""
    limit = public_key.n_squared
    for index, c in enumerate(ciphertexts):
        if not 0 < c < limit:
            raise CiphertextOutOfRange(f"ciphertext {index} is outside (0, n squared)")


def check_units(ciphertexts: Sequence[int | mpz], public_key: PublicKey) -> None:
    """Raise `CiphertextNotUnit` with the index of the first ciphertext that shares a factor with n.

    One gcd of the product modulo n serves all: it is 1 exactly when every factor is a unit.
    """
    n = public_key.n
    product = mpz(1)
    for c in ciphertexts:
        product = product * (c % n) % n
    if gmpy2.gcd(product, n) == 1:
        return
    for index, c in enumerate(ciphertexts):
        if gmpy2.gcd(c, n) != 1:
            raise CiphertextNotUnit(f"ciphertext {index} shares a factor with n")
