"""Powers of one fixed base modulo n², four multiplications of |n| bits for every two digits.

Spec: windowed tables after Brickell, Gordon, McCurley, Wilson 1992 (design 2 "Encryption"): row i holds
base^(d·2^(w·i)) for every digit d < 2^w, so a power is one product per row and no squaring.

A table entry y = y0 + y1·n is known by y0 and u = y1/y0 modulo n, its *slope*: y = y0·(1 + u·n) modulo n². Slopes of
factors are only added, and enter once, at the end. What remains is a product of numbers below n, each of them without
a second digit, so two of them cost one multiplication and one division, y0·z0 = q·n + r; and the running product
(x, t), standing for x + t·n, takes in such a pair, with x·r = p·n + x', by

    x ← x',  t ← (t·r + x·q + p) mod n.

That is four multiplications and three reductions for two digits, where products of n-adic pairs (`paillier.nadic`) have
six and four: measured 30 % faster.

Tables are larger than the caches of a processor, and what one encryption reads of them lies all over: digit and slope
of an entry are therefore one integer, y0 + u·2^k, so that an entry is one place in memory and not five, and all
entries are touched before the first product needs one, so that their reading overlaps (measured: 11 %).

Left out: signed digits (an inverse costs more than the row it saves), tables shared between processes, many powers
row by row (a row stays in the cache: 0 to 4 %, measured).
Thread-safety: a table never changes after construction.
"""

import gmpy2
from gmpy2 import f_divmod, f_mod_2exp, is_even, mpz

from paillier import nadic
from paillier.errors import ParameterOutOfRange
from paillier.nadic import Pair
from paillier.public_key import PublicKey

ENTRY_OVERHEAD_BYTES = 88
"""bytes per table entry beside its digits: the headers of mpz and allocation, spare bits, one list slot."""

ENTRY_COST = 1.8
"""products' worth of building one table entry: 3 multiplications and 3 reductions instead of 2 and 1.5."""

SPARE_BITS = 64
"""between digit and slope of an entry, so that a sum of entries does not carry from one into the other."""

Row = list[mpz]
"""Entries digit + slope·2^k for the powers 0, 1, 2, … of the row's base."""


class FixedBaseTable:
    """Tables for `base`, a unit modulo n², and exponents of at most `bits` bits."""

    def __init__(self, public_key: PublicKey, base: mpz, bits: int, window: int) -> None:
        """Builds ⌈bits/window⌉ rows of 2^window entries; `window` in bits, memory as `table_bytes` estimates."""
        self._n = public_key.n
        self._bits = bits
        self._window = window
        self._slope_at = -(-self._n.bit_length() // 64) * 64 + SPARE_BITS
        self._rows = _build_rows(base, self._n, bits, window, self._slope_at)

    @property
    def products(self) -> int:
        """Products that one power costs."""
        return len(self._rows) - 1

    def power(self, exponent: int) -> Pair:
        """base^exponent as n-adic pair for 0 <= exponent < 2^bits; the number of products is always the same.

        Raises `ParameterOutOfRange` for any other exponent.
        """
        if exponent < 0 or exponent.bit_length() > self._bits:
            raise ParameterOutOfRange("the exponent is outside the tables")
        entries = [row[digit] for row, digit in zip(self._rows, self._digits(exponent), strict=True)]
        list(map(is_even, entries))  # Only touches them: see above.
        low = [f_mod_2exp(entry, self._slope_at) for entry in entries]
        x, t = _product(low, self._n)
        return x, (x * (sum(entries) >> self._slope_at) + t) % self._n

    def _digits(self, exponent: int) -> list[mpz]:
        """One digit per row, least significant first, zeros included."""
        digits: list[mpz] = gmpy2.unpack(mpz(exponent), self._window)
        return digits + [mpz(0)] * (len(self._rows) - len(digits))


def _product(factors: list[mpz], n: mpz) -> Pair:
    """The product modulo n², as n-adic pair, of numbers below n: the recurrence above, two factors a step."""
    rest = iter(factors)
    x, t = next(rest), mpz(0)
    if len(factors) % 2 == 0:
        t, x = f_divmod(x * next(rest), n)
    for first, second in zip(rest, rest, strict=True):
        q, r = f_divmod(first * second, n)
        p, next_x = f_divmod(x * r, n)
        t = (t * r + x * q + p) % n
        x = next_x
    return x, t


def table_bytes(public_key: PublicKey, bits: int, window: int) -> int:
    """Estimated resident bytes of the tables for exponents of `bits` bits."""
    rows = -(-bits // window)
    return rows * (1 << window) * (2 * public_key.bits // 8 + ENTRY_OVERHEAD_BYTES)


def _build_rows(base: mpz, n: mpz, bits: int, window: int, slope_at: int) -> list[Row]:
    """Row i: powers 0 to 2^w - 1 of base^(2^(w·i)); the last row is shorter when w does not divide `bits`."""
    base0, base1 = nadic.from_integer(base, n)
    inverse = gmpy2.invert(base0, n)
    slope = base1 * inverse % n
    rows: list[Row] = []
    for start in range(0, bits, window):
        size = 1 << min(window, bits - start)
        row, (base0, slope, inverse) = _build_row(base0, slope, inverse, n, size, slope_at)
        rows.append(row)
    return rows


def _build_row(
    base0: mpz, slope: mpz, inverse: mpz, n: mpz, size: int, slope_at: int
) -> tuple[Row, tuple[mpz, mpz, mpz]]:
    """Powers 0 to size - 1, and what power `size` is: the base of the next row, with its slope and inverse.

    With x·y0 = q·n + x', the slope of a product is the sum of the slopes plus q/x': hence the inverses.
    """
    row: Row = []
    x, s, x_inverse = mpz(1), mpz(0), mpz(1)
    for _ in range(size):
        row.append(x + (s << slope_at))
        quotient, x = f_divmod(x * base0, n)
        x_inverse = x_inverse * inverse % n
        s = (s + slope + quotient * x_inverse) % n
    return row, (x, s, x_inverse)
