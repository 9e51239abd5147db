"""Π b_i^(e_i) modulo n for many bases with short exponents: what a batch of checks is folded into.

Spec: an addition sequence of the exponents after Bos and Coster (`paillier.addition_sequence`), read backwards as in
`paillier.multi_exponentiation`, which works modulo n² on n-adic pairs. The exponents of a batch are used once, so a
longer search for a shorter sequence does not pay.

Left out: constant time; exponents here are public. Thread-safety: pure functions.
"""

from collections.abc import Sequence

from gmpy2 import mpz

from paillier.addition_sequence import backwards, bos_coster


def simultaneous_power(bases: Sequence[mpz], exponents: Sequence[int], modulus: mpz) -> mpz:
    """The product of bases[i]^exponents[i] modulo `modulus` > 1; as many exponents, all >= 0, as bases."""
    factors: dict[int, mpz] = {}
    for base, exponent in zip(bases, exponents, strict=True):
        if exponent:
            factors[exponent] = factors.get(exponent, 1) * base % modulus
    for number, first, second in backwards(bos_coster(factors)):
        factor = factors.pop(number)
        for part in (first, second):
            factors[part] = factors.get(part, 1) * factor % modulus
    return factors.get(1, mpz(1))
