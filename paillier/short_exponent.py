"""The short-exponent base h_s, derived from n alone, and how long exponents must be.

Spec: Damgård, Jurik, Nielsen 2010 (encryption with short exponents); design 2 "Encryption".
    x   = SHAKE256(LABEL ‖ n as bits/8 bytes big-endian), (bits + 128)/8 bytes, read big-endian, modulo n
    h_s = (-x² mod n)^n mod n²
A base chosen by somebody else could lie in a tiny subgroup and make ciphertexts readable; therefore it is
never received, always derived. 128 extra bits make x uniform modulo n up to 2^-128.

Left out: exponents shorter than |n|/2 bits (the published parameter). Thread-safety: pure functions behind a
lock-free cache; two threads may compute the same base once each.
"""

import hashlib
from functools import lru_cache

import gmpy2
from gmpy2 import mpz

from paillier.errors import KeySmallFactor
from paillier.public_key import PublicKey

BASE_LABEL = b"consentgate/paillier/short-exponent-base/v1\x00"

STATISTICAL_BITS = 128
"""bits of statistical hiding when a value is masked by a longer one."""

_BASES_REMEMBERED = 64


@lru_cache(maxsize=_BASES_REMEMBERED)
def short_exponent_base(public_key: PublicKey) -> mpz:
    """h_s modulo n². Costs one full exponentiation (about 40 ms at 3072 bits) per key, then remembered.

    Raises `KeySmallFactor` for an n whose derived x is no unit.
    """
    n = public_key.n
    seed = BASE_LABEL + int(n).to_bytes(public_key.bits // 8, "big")
    expanded = hashlib.shake_256(seed).digest((public_key.bits + STATISTICAL_BITS) // 8)
    x = mpz(int.from_bytes(expanded, "big")) % n
    if gmpy2.gcd(x, n) != 1:
        # Happens for no modulus with large factors (probability below 2^-1000); then n was not one.
        raise KeySmallFactor("the derived base is not a unit modulo n")
    return gmpy2.powmod(-x * x % n, n, public_key.n_squared)


def exponent_bits(public_key: PublicKey) -> int:
    """Bits of an encryption exponent: |n|/2, the published parameter."""
    return public_key.bits // 2


def rerandomising_exponent_bits(public_key: PublicKey, weight_bits: int, columns: int) -> int:
    """Bits of an exponent that hides Σ w_j·r_j over `columns` encryption exponents r_j statistically."""
    return exponent_bits(public_key) + weight_bits + max(1, columns).bit_length() + STATISTICAL_BITS
