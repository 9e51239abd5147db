"""Encryption with short exponents and fixed-base tables.

Spec: design 2 "Encryption": c = (1 + m·n)·h_s^r modulo n², r uniform with |n|/2 bits from the system's
CSPRNG. The power is read from windowed tables (`paillier.fixed_base`). At 3072 bits and w = 9 that is 171 rows,
about 75 MB per key and about 0.7 s to build; the window follows from the memory budget.

Left out: tables shared between processes, and how many keys keep theirs (`department_adapter.encryption`).

Timing: constant time is not promised. Products are made for every digit, zero included, so the number of
products does not depend on the randomness; their duration depends a little on operands, which carry fresh
randomness each time.

Thread-safety: an `Encryptor` never changes after construction and may be used from any number of threads.
"""

import secrets
from collections.abc import Iterable, Sequence

from gmpy2 import mpz

from paillier import fixed_base, nadic
from paillier.errors import MemoryBudgetTooSmall, ParameterOutOfRange, PlaintextOutOfRange
from paillier.fixed_base import FixedBaseTable
from paillier.nadic import Pair
from paillier.public_key import PublicKey
from paillier.short_exponent import exponent_bits, short_exponent_base

DEFAULT_MEMORY_BUDGET_BYTES = 80 << 20
"""bytes per key; enough for window 8 at every allowed key size."""

MIN_WINDOW = 1
MAX_WINDOW = 12
"""bits; each bit more doubles the memory and the time to build, and 12 to 13 saves 7 % of the products."""


class Encryptor:
    """Encrypts under one public key with tables built once, in the constructor."""

    def __init__(
        self,
        public_key: PublicKey,
        *,
        memory_budget_bytes: int = DEFAULT_MEMORY_BUDGET_BYTES,
        window: int | None = None,
    ) -> None:
        """`window` (1 to 12 bits) overrides the choice by budget (bytes); it must still fit the budget.

        Raises `ParameterOutOfRange` for another window and `MemoryBudgetTooSmall` where no table fits.
        """
        self.public_key = public_key
        self.window = _choose_window(public_key, memory_budget_bytes, window)
        self._exponent_bits = exponent_bits(public_key)
        base = short_exponent_base(public_key)
        self._table = FixedBaseTable(public_key, base, self._exponent_bits, self.window)

    @property
    def table_bytes(self) -> int:
        """Estimated resident size of the tables."""
        return table_bytes(self.public_key, self.window)

    @property
    def products(self) -> int:
        """Products modulo n² that one encryption makes."""
        return self._table.products

    def randomizer(self) -> Pair:
        """A fresh h_s^r as n-adic pair, for one encryption only: reuse shows differences of plaintexts."""
        return self.power(secrets.randbits(self._exponent_bits))

    def power(self, exponent: int) -> Pair:
        """h_s^exponent for 0 <= exponent < 2^(|n|/2); encryption uses `randomizer`, test vectors use this.

        Raises `ParameterOutOfRange` for any other exponent.
        """
        return self._table.power(exponent)

    def encrypt(self, values: Sequence[int]) -> bytes:
        """Encrypt integers in [0, n) into one column: len(values) ciphertexts of 2·|n|/8 bytes, big-endian, in order.

        Raises `PlaintextOutOfRange`, before anything is encrypted.
        """
        check_plaintexts(values, self.public_key)
        return pack_column(((self.randomizer(), value) for value in values), self.public_key)


def check_plaintexts(values: Sequence[int], public_key: PublicKey) -> None:
    """Raise `PlaintextOutOfRange` with the index, never the value, of the first value outside [0, n)."""
    for index, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | mpz) or not 0 <= value < public_key.n:
            raise PlaintextOutOfRange(f"plaintext {index} is not an integer in [0, n)")


def pack_column(parts: Iterable[tuple[Pair, int]], public_key: PublicKey) -> bytes:
    """Finish encryptions: (randomizer, plaintext from `check_plaintexts`) pairs to one wire column, in order."""
    n = public_key.n
    width = public_key.ciphertext_bytes
    return b"".join(
        [
            int(nadic.to_integer(nadic.add_plaintext(randomizer, mpz(value), n), n)).to_bytes(width, "big")
            for randomizer, value in parts
        ]
    )


def table_bytes(public_key: PublicKey, window: int) -> int:
    """Estimated bytes of the tables for one key and window."""
    return fixed_base.table_bytes(public_key, exponent_bits(public_key), window)


def window_for(public_key: PublicKey, ciphertexts: int, memory_budget_bytes: int) -> int:
    """The window with the fewest products for that many ciphertexts, its tables counted, within the budget.

    A single request is served best by a narrow window, a portfolio pays for a wide one. Raises `MemoryBudgetTooSmall`.
    """
    bits = exponent_bits(public_key)
    fitting = [w for w in range(MIN_WINDOW, MAX_WINDOW + 1) if table_bytes(public_key, w) <= memory_budget_bytes]
    if not fitting:
        raise MemoryBudgetTooSmall(f"tables for a {public_key.bits}-bit key exceed {memory_budget_bytes} bytes")
    return min(fitting, key=lambda w: -(-bits // w) * (fixed_base.ENTRY_COST * (1 << w) + ciphertexts))


def _choose_window(public_key: PublicKey, budget: int, window: int | None) -> int:
    if window is not None and not MIN_WINDOW <= window <= MAX_WINDOW:
        raise ParameterOutOfRange(f"window must be {MIN_WINDOW} to {MAX_WINDOW} bits")
    candidates = [window] if window is not None else range(MAX_WINDOW, MIN_WINDOW - 1, -1)
    for candidate in candidates:
        if table_bytes(public_key, candidate) <= budget:
            return candidate
    raise MemoryBudgetTooSmall(f"tables for a {public_key.bits}-bit key exceed {budget} bytes")
