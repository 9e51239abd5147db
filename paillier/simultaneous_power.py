"""Π b_i^(e_i) modulo n for many bases with short exponents: what a batch of checks is folded into.

Spec: Bos and Coster 1989 (also de Rooij 1994), as in `paillier.multi_exponentiation`, which works modulo n² on n-adic
pairs: while two exponents remain, the largest a and the next b, b_b ← b_b·b_a^⌊a/b⌋ and a ← a mod b.

Left out: constant time; exponents here are public. Thread-safety: pure functions.
"""

import heapq
from collections.abc import Sequence

import gmpy2
from gmpy2 import mpz


def simultaneous_power(bases: Sequence[mpz], exponents: Sequence[int], modulus: mpz) -> mpz:
    """The product of bases[i]^exponents[i] modulo `modulus` > 1; as many exponents, all >= 0, as bases."""
    powers = list(bases)
    heap = [(-exponent, index) for index, exponent in enumerate(exponents) if exponent]
    if not heap:
        return mpz(1)
    heapq.heapify(heap)
    while len(heap) > 1:
        largest, index = heapq.heappop(heap)
        second, other = heap[0]
        quotient, rest = divmod(largest, second)
        moved = powers[index] if quotient == 1 else gmpy2.powmod(powers[index], quotient, modulus)
        powers[other] = powers[other] * moved % modulus
        if rest:
            heapq.heappush(heap, (rest, index))
    last, index = heap[0]
    return gmpy2.powmod(powers[index], -last, modulus)
