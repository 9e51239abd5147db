"""Π b_j^(e_j) modulo n² for many bases with small positive exponents.

Spec: design 2 "Linear algebra"; Straus 1964 (subset tables) for few bases, Pippenger's buckets for many.
Which one and with which parameter is decided by counting products beforehand, both counts are simple
functions of the number of bases and the exponent length. Both walk the exponent from its top, so all bases
share one chain of squarings.

Left out: signed digits, tables kept between calls. Exponents are scorecard weights, which the gateway knows,
so time may depend on them. Thread-safety: pure functions.
"""

from collections.abc import Sequence

from paillier import nadic
from paillier.nadic import Pair

Term = tuple[Pair, int]

MAX_STRAUS_GROUP = 5
"""bases per subset table; a table has 2^group entries."""

MAX_PIPPENGER_WINDOW = 12
"""bits; beyond it running sums over 2^window buckets cost more than they save for any column count here."""


def product_of_powers(terms: Sequence[Term], n: int) -> Pair:
    """Π base^exponent modulo n² over (base, exponent > 0); ONE for none."""
    if not terms:
        return nadic.ONE
    bits = max(exponent for _, exponent in terms).bit_length()
    group = min(range(1, MAX_STRAUS_GROUP + 1), key=lambda g: straus_cost(len(terms), bits, g))
    window = min(range(1, MAX_PIPPENGER_WINDOW + 1), key=lambda w: pippenger_cost(len(terms), bits, w))
    if straus_cost(len(terms), bits, group) <= pippenger_cost(len(terms), bits, window):
        return straus(terms, n, bits, group)
    return pippenger(terms, n, bits, window)


def straus_cost(count: int, bits: int, group: int) -> float:
    """Expected products of `straus`: tables, then one per group and bit unless all its bits are zero."""
    groups = -(-count // group)
    tables = groups * ((1 << group) - 1 - group)
    return tables + bits + bits * groups * (1 - 0.5**group)


def pippenger_cost(count: int, bits: int, window: int) -> float:
    """Expected products of `pippenger`: per window, drop each base in a bucket, then two running products."""
    windows = -(-bits // window)
    buckets = (1 << window) - 1
    filled = buckets * (1 - (1 - 0.5**window) ** count)
    drops = count * (1 - 0.5**window) - filled
    return bits + windows * (drops + filled + buckets)


def straus(terms: Sequence[Term], n: int, bits: int, group: int) -> Pair:
    """Subset tables of `group` bases each, one bit of every exponent at a time."""
    groups = [terms[start : start + group] for start in range(0, len(terms), group)]
    tables = [_subset_products([base for base, _ in part], n) for part in groups]
    total = nadic.ONE
    for bit in range(bits - 1, -1, -1):
        if total is not nadic.ONE:
            total = nadic.square(total, n)
        for part, table in zip(groups, tables, strict=True):
            index = sum(((exponent >> bit) & 1) << place for place, (_, exponent) in enumerate(part))
            if index:
                total = table[index] if total is nadic.ONE else nadic.multiply(total, table[index], n)
    return total


def _subset_products(bases: Sequence[Pair], n: int) -> list[Pair]:
    """table[s] = product of the bases whose bit is set in s."""
    table = [nadic.ONE]
    for base in bases:
        table += [base if entry is nadic.ONE else nadic.multiply(entry, base, n) for entry in table]
    return table


def pippenger(terms: Sequence[Term], n: int, bits: int, window: int) -> Pair:
    """One window of every exponent at a time; bases with the same digit meet in one bucket."""
    total = nadic.ONE
    mask = (1 << window) - 1
    top = (bits - 1) // window * window
    for shift in range(top, -1, -window):
        if total is not nadic.ONE:
            for _ in range(window):
                total = nadic.square(total, n)
        buckets: list[Pair | None] = [None] * (mask + 1)
        for base, exponent in terms:
            digit = (exponent >> shift) & mask
            if digit:
                held = buckets[digit]
                buckets[digit] = base if held is None else nadic.multiply(held, base, n)
        total = nadic.multiply(total, _weighted_buckets(buckets, n), n)
    return total


def _weighted_buckets(buckets: Sequence[Pair | None], n: int) -> Pair:
    """Π buckets[d]^d with two running products from the largest digit down."""
    running: Pair | None = None
    total: Pair | None = None
    for held in reversed(buckets[1:]):
        if held is not None:
            running = held if running is None else nadic.multiply(running, held, n)
        if running is not None:
            total = running if total is None else nadic.multiply(total, running, n)
    return nadic.ONE if total is None else total
