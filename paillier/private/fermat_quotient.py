"""L(c^(p-1) modulo p²) = (c^(p-1) - 1)/p modulo p, on pairs modulo p: the one expensive step of decryption.

Spec: Paillier 1999 section 7 (decryption modulo p² and q²). As `paillier.nadic` does modulo n², an element modulo p² is
held as (x, t), standing for x + t·p, so that its square is one square, one product and two reductions of |p| bits:
x·x = q·p + x', t' = (x·2t + q) modulo p. Measured 14 % faster at 3072 bits of n than GMP's power modulo p², which works
on numbers twice as long; for shorter primes Python's own part weighs more than that saves, so there GMP's stays. By
Fermat the power ends at x = 1, and its t is the result.

In pairs the exponent is read in windows of equal width, and a product is made for every digit, zero included: which
operations run, and in which order, depends on the length of the key alone. Their duration depends a little on the
operands, which the caller has blinded, and the table entries are chosen by the digits: constant time is not promised.

Left out: products by slopes as in `paillier.fixed_base`; a table used once does not pay for the inverses.
Thread-safety: pure functions.
"""

import gmpy2
from gmpy2 import f_divmod, mpz

from paillier import nadic
from paillier.nadic import Pair

WINDOW = 6
"""bits of the exponent per product: 64 table entries and 256 products at 3072 bits of n; 5 and 7 cost more."""

PAIRS_FROM_BITS = 1536
"""Length of the shortest prime for which pairs are faster: at 1024 bits they take 6 % longer."""


def window_digits(prime: mpz) -> tuple[int, ...]:
    """The digits of prime - 1 in base 2^WINDOW, most significant first: to be made once per key."""
    return tuple(int(digit) for digit in reversed(gmpy2.unpack(prime - 1, WINDOW)))


def fermat_quotient(base: mpz, prime: mpz, digits: tuple[int, ...]) -> mpz:
    """(base^(prime - 1) - 1)/prime modulo `prime`, for a base in [0, prime²) and the prime's `window_digits`.

    Raises ArithmeticError when the power is not 1 modulo `prime`: the base is no unit, or this machine miscalculated.
    """
    if prime.bit_length() >= PAIRS_FROM_BITS:
        low, quotient = _power_in_pairs(base, prime, digits)
    else:
        quotient, low = f_divmod(gmpy2.powmod(base, prime - 1, prime * prime), prime)
    if low != 1:
        raise ArithmeticError("a power that Fermat's theorem makes 1 is another number")
    return quotient


def _power_in_pairs(base: mpz, prime: mpz, digits: tuple[int, ...]) -> Pair:
    """base^(prime - 1) modulo prime²."""
    table = _powers(base, prime)
    rest = iter(digits)
    x, t = table[next(rest)]
    for digit in rest:
        for _ in range(WINDOW):
            quotient, low = f_divmod(x * x, prime)
            t = (x * (t + t) + quotient) % prime
            x = low
        y, u = table[digit]
        quotient, low = f_divmod(x * y, prime)
        t = (x * u + t * y + quotient) % prime
        x = low
    return x, t


def _powers(base: mpz, prime: mpz) -> list[Pair]:
    """base^0 to base^(2^WINDOW - 1) as pairs."""
    t, x = f_divmod(base, prime)
    table: list[Pair] = [(mpz(1), mpz(0)), (x, t)]
    for index in range(1, 1 << (WINDOW - 1)):
        square = nadic.square(table[index], prime)
        table += [square, nadic.multiply(square, (x, t), prime)]
    return table
