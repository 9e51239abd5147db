"""Paillier-Blum proof, prover's side: needs the primes.

Spec: CGGMP 2020 protocol Π_mod; statement, soundness and challenges in `paillier.blum`. Left out: batching
over keys. Run once per key, offline: its time depends on the primes. Thread-safety: pure apart from the
system's CSPRNG.
"""

import secrets

import gmpy2
from gmpy2 import mpz

from paillier.blum import ITERATIONS, BlumProof, challenge
from paillier.private.keys import PrivateKey


def prove(private_key: PrivateKey, context: bytes) -> BlumProof:
    """A proof for `private_key.public`, bound to `context` (whatever the registering protocol signs)."""
    n = private_key.public.n
    w = _random_non_residue(n)
    # n is coprime to phi(n), so every unit has exactly one n-th root.
    root_exponent = gmpy2.invert(n, (private_key.p - 1) * (private_key.q - 1))
    rows = []
    for index in range(ITERATIONS):
        y = challenge(private_key.public, context, int(w), index)
        a, b, square = _adjust_to_square(private_key, w, y)
        z = _power(private_key, y, root_exponent)
        rows.append((int(_fourth_root(private_key, square)), int(z), a, b))
    x, z_all, a_all, b_all = zip(*rows, strict=True)
    return BlumProof(w=int(w), x=x, z=z_all, a=a_all, b=b_all)


def _random_non_residue(n: mpz) -> mpz:
    """A random unit with Jacobi symbol -1: a square modulo exactly one of the primes."""
    while True:
        w = mpz(secrets.randbelow(int(n)))
        if gmpy2.jacobi(w, n) == -1:
            return w


def _adjust_to_square(key: PrivateKey, w: mpz, y: mpz) -> tuple[int, int, mpz]:
    """The one (a, b, (-1)^a·w^b·y) that is a square modulo both primes, which are 3 modulo 4."""
    for a in (0, 1):
        for b in (0, 1):
            adjusted = (-y if a else y) * (w if b else 1) % key.public.n
            if gmpy2.legendre(adjusted, key.p) == 1 and gmpy2.legendre(adjusted, key.q) == 1:
                return a, b, adjusted
    raise AssertionError("unreachable for Blum primes: a challenge shares a factor with n")


def _fourth_root(key: PrivateKey, square: mpz) -> mpz:
    """The fourth root that is itself a square: the exponent (p + 1)/4 takes a square root, twice."""
    exponent_p = ((key.p + 1) // 4) ** 2 % (key.p - 1)
    exponent_q = ((key.q + 1) // 4) ** 2 % (key.q - 1)
    root_p = gmpy2.powmod(square, exponent_p, key.p)
    root_q = gmpy2.powmod(square, exponent_q, key.q)
    return _combine(key, root_p, root_q)


def _power(key: PrivateKey, base: mpz, exponent: mpz) -> mpz:
    """base^exponent modulo n by the Chinese remainder theorem."""
    power_p = gmpy2.powmod(base, exponent % (key.p - 1), key.p)
    power_q = gmpy2.powmod(base, exponent % (key.q - 1), key.q)
    return _combine(key, power_p, power_q)


def _combine(key: PrivateKey, residue_p: mpz, residue_q: mpz) -> mpz:
    return residue_p + key.p * ((residue_q - residue_p) * gmpy2.invert(key.p, key.q) % key.q)
