"""Paillier private keys: conditions, generation, decryption by the Chinese remainder theorem.

Spec: design 2 "Keys"; Paillier 1999 section 7 (decryption modulo p² and q²). Conditions on the primes: same
bit length, both 3 modulo 4, |p - q| >= 2^(|n|/2 - 100) (FIPS 186-5 A.1.3), gcd(p - 1, q - 1) = 2, and all
checks of a received modulus. gcd(n, phi(n)) = 1 follows for different primes of one length: p could divide
q - 1 only for q >= 2p + 1. Left out: safe primes (only quorum custody needs them).

Timing: constant time is not promised (`paillier.private.fermat_quotient`). Decryption multiplies every ciphertext with
a fresh encryption of zero first, so an attacker who times it knows neither the number that is raised to p - 1 nor can
repeat it; what remains visible is the key size. Who can read this process's memory can read the key.

Thread-safety: a key may be used from any number of threads; only the blinding state is locked, for two
products.
"""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NoReturn

import gmpy2
from gmpy2 import mpz

from paillier.errors import (
    KeySizeNotAllowed,
    KeyTooSmall,
    PrimeNotBlum,
    PrimeNotPrime,
    PrimesEqual,
    PrimesShareFactor,
    PrimesTooClose,
    PrimesUnequalLength,
)
from paillier.private.fermat_quotient import fermat_quotient, window_digits
from paillier.public_key import ALLOWED_KEY_BITS, DEFAULT_KEY_BITS, PublicKey
from paillier.wire import check_range, check_units

PRIMALITY_ROUNDS = 64
"""GMP's count: Baillie-PSW and 40 Miller-Rabin rounds; error below 2^-80 for any number."""

CLOSE_PRIMES_BITS = 100
"""p and q must differ within their top 100 bits, else Fermat's method finds them (FIPS 186-5)."""


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """Two checked primes with p < q. Never printed, never pickled: it leaves memory by key file only."""

    p: mpz
    q: mpz
    _blinding: "_Blinding" = field(init=False, compare=False)

    def __post_init__(self) -> None:
        low, high = sorted((mpz(self.p), mpz(self.q)))
        object.__setattr__(self, "p", low)
        object.__setattr__(self, "q", high)
        check_primes(self.p, self.q)
        object.__setattr__(self, "_blinding", _Blinding())
        _ = self.public  # Runs the checks of a received modulus now rather than at the first use.

    @cached_property
    def public(self) -> PublicKey:
        """The public key n = p·q."""
        return PublicKey(self.p * self.q)

    def decrypt(self, ciphertext: int | mpz) -> int:
        """The plaintext in [0, n) of one ciphertext; checked and refused as by `decrypt_many`."""
        return self.decrypt_many([ciphertext])[0]

    def decrypt_many(self, ciphertexts: Sequence[int | mpz]) -> list[int]:
        """Plaintexts in [0, n), in order; all ciphertexts are checked before the first is decrypted.

        Raises `CiphertextOutOfRange` outside (0, n²) and `CiphertextNotUnit`, with the index.
        """
        check_range(ciphertexts, self.public)
        check_units(ciphertexts, self.public)
        return [self._decrypt_checked(mpz(ciphertext)) for ciphertext in ciphertexts]

    def _decrypt_checked(self, ciphertext: mpz) -> int:
        c = ciphertext * self._blinding.next(self) % self.public.n_squared
        p, q = self.p, self.q
        message_p = fermat_quotient(c % (p * p), p, self._digits_p) * self._factor_p % p
        message_q = fermat_quotient(c % (q * q), q, self._digits_q) * self._factor_q % q
        return int(message_p + p * ((message_q - message_p) * self._p_inverse % q))

    @cached_property
    def _digits_p(self) -> tuple[int, ...]:
        return window_digits(self.p)

    @cached_property
    def _digits_q(self) -> tuple[int, ...]:
        return window_digits(self.q)

    @cached_property
    def _factor_p(self) -> mpz:
        """1/L((1 + n)^(p - 1)) modulo p; with g = n + 1 that is 1/((p - 1)·q) = 1/(-q)."""
        return gmpy2.invert(-self.q, self.p)

    @cached_property
    def _factor_q(self) -> mpz:
        return gmpy2.invert(-self.p, self.q)

    @cached_property
    def _p_inverse(self) -> mpz:
        return gmpy2.invert(self.p, self.q)

    def __repr__(self) -> str:
        return f"PrivateKey(<secret>, key_id={self.public.key_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled; save it to a key file")


class _Blinding:
    """A sequence of encryptions of zero, each the square of the one before, as RSA implementations do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: mpz | None = None

    def next(self, key: PrivateKey) -> mpz:
        modulus = key.public.n_squared
        with self._lock:
            if self._current is None:
                seed = mpz(secrets.randbelow(int(key.public.n) - 1) + 1)
                self._current = gmpy2.powmod(seed, key.public.n, modulus)
            else:
                self._current = self._current * self._current % modulus
            return self._current


def generate(bits: int = DEFAULT_KEY_BITS) -> PrivateKey:
    """A fresh key of 2048, 3072 or 4096 bits; takes a few tenths of a second to a few seconds.

    Raises `KeyTooSmall` or `KeySizeNotAllowed` for another size.
    """
    if bits < min(ALLOWED_KEY_BITS):
        raise KeyTooSmall(f"a key needs at least {min(ALLOWED_KEY_BITS)} bits")
    if bits not in ALLOWED_KEY_BITS:
        raise KeySizeNotAllowed(f"keys have {', '.join(map(str, ALLOWED_KEY_BITS))} bits")
    while True:
        try:
            return PrivateKey(_random_prime(bits // 2), _random_prime(bits // 2))
        except (PrimesEqual, PrimesTooClose, PrimesShareFactor):
            continue  # About every fourth pair shares an odd factor in p - 1 and q - 1.


def _random_prime(bits: int) -> mpz:
    """Uniform among primes that are 3 modulo 4 with both top bits set: p·q has exactly 2·bits bits."""
    while True:
        candidate = mpz(secrets.randbits(bits)) | (mpz(3) << (bits - 2)) | 3
        if candidate.is_prime(PRIMALITY_ROUNDS):
            return candidate


def check_primes(p: mpz, q: mpz) -> None:
    """Raise the error that names the first condition which the primes of a key break (conditions: module text).

    `PrimesEqual`, `PrimesUnequalLength`, `PrimeNotBlum`, `KeySizeNotAllowed`, `PrimeNotPrime`, `PrimesTooClose`,
    `PrimesShareFactor`, in this order: cheap ones first.
    """
    if p == q:
        raise PrimesEqual("p equals q")
    if p.bit_length() != q.bit_length():
        raise PrimesUnequalLength(f"the primes have {p.bit_length()} and {q.bit_length()} bits")
    if p % 4 != 3 or q % 4 != 3:
        raise PrimeNotBlum("a prime is not 3 modulo 4")
    if p.bit_length() > max(ALLOWED_KEY_BITS):
        raise KeySizeNotAllowed("the primes are longer than any allowed modulus")
    if not p.is_prime(PRIMALITY_ROUNDS) or not q.is_prime(PRIMALITY_ROUNDS):
        raise PrimeNotPrime("a factor is composite")
    if abs(p - q).bit_length() <= p.bit_length() - CLOSE_PRIMES_BITS:
        raise PrimesTooClose(f"the primes agree in their top {CLOSE_PRIMES_BITS} bits")
    if gmpy2.gcd(p - 1, q - 1) != 2:
        raise PrimesShareFactor("gcd(p - 1, q - 1) is not 2")
