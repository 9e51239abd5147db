"""Π b_j^(e_j) modulo n² for many bases with small exponents.

Spec: design 2 "Linear algebra". Two algorithms; exponents are scorecard weights:
  one scorecard     an addition sequence of its weights, found once (`paillier.addition_sequence`). For 40 signed
                    weights of 16 bits that is 155 products, where Bos and Coster need 172, Straus 290, Pippenger 300.
  many scorecards   Straus 1964: products of every subset of a small group of bases, made once and shared; each
                    scorecard then costs one chain of squarings and one product per group and bit.
`SharedBases` counts products beforehand and takes the cheaper.

Left out: tables kept between calls. Exponents are scorecard weights, which the gateway knows, so time may depend on
them. Thread-safety: pure functions; a `SharedBases` never changes after construction.
"""

from collections.abc import Iterable, Sequence
from math import log2

from paillier import nadic
from paillier.addition_sequence import steps
from paillier.errors import WeightCount
from paillier.nadic import Pair

Term = tuple[Pair, int]

MAX_STRAUS_GROUP = 8
"""bases per subset table; a table has 2^group entries."""

MAX_ONE_SEQUENCE = 64
"""terms up to which one sequence for both signs is shorter than one for each."""


def product_of_powers(terms: Sequence[Term], n: int) -> Pair:
    """Π base^exponent modulo n² over (base, exponent > 0); ONE for none."""
    factors: dict[int, Pair] = {}

    def gather(number: int, factor: Pair) -> None:
        held = factors.get(number)
        factors[number] = factor if held is None else nadic.multiply(held, factor, n)

    for base, exponent in terms:
        gather(exponent, base)
    for number, first, second in steps(tuple([exponent for _, exponent in terms])):
        factor = factors.pop(number)
        if first == second:
            gather(first, nadic.square(factor, n))
        else:
            gather(first, factor)
            gather(second, factor)
    return factors.get(1, nadic.ONE)


def product_of_signed_powers(terms: Sequence[Term], n: int) -> Pair:
    """The same for exponents of either sign, zeros ignored.

    Up to `MAX_ONE_SEQUENCE` terms: with -K the least of the negative exponents -e, b^(-e) = b^(K-e)·b^(-K), and all
    b^(-K) are one power of one inverse. One sequence for all exponents is shorter than two by more than that costs.
    """
    positive = [(base, exponent) for base, exponent in terms if exponent > 0]
    negative = [(base, -exponent) for base, exponent in terms if exponent < 0]
    if len(negative) > len(positive):
        return nadic.inverse(product_of_signed_powers([(base, -exponent) for base, exponent in terms], n), n)
    if not negative:
        return product_of_powers(positive, n)
    if len(terms) > MAX_ONE_SEQUENCE:
        return nadic.multiply(product_of_powers(positive, n), nadic.inverse(product_of_powers(negative, n), n), n)
    most = max(exponent for _, exponent in negative)
    inverse = nadic.inverse(_product((base for base, _ in negative), n), n)
    raised = [(base, most - exponent) for base, exponent in negative if exponent < most]
    return product_of_powers([*positive, *raised, (inverse, most)], n)


def _product(factors: Iterable[Pair], n: int) -> Pair:
    total = nadic.ONE
    for factor in factors:
        total = factor if total is nadic.ONE else nadic.multiply(total, factor, n)
    return total


class SharedBases:
    """Bases that several scorecards raise to their own weights."""

    def __init__(self, bases: Sequence[Pair], n: int, scorecards: int, weight_bits: int) -> None:
        """`scorecards` is how many there will be and `weight_bits` their size: they decide how much is prepared."""
        self._bases = bases
        self._n = n
        self._bits = weight_bits
        self._group = _best_group(len(bases), scorecards, weight_bits)
        self._tables: list[list[Pair]] = []
        if self._group:
            groups = (bases[start : start + self._group] for start in range(0, len(bases), self._group))
            self._tables = [_subset_products(part, n) for part in groups]

    def product_of_signed_powers(self, weights: Sequence[int]) -> Pair:
        """Π base^weight modulo n² for one signed weight of at most `weight_bits` bits per base, else `WeightCount`."""
        if len(weights) != len(self._bases):
            raise WeightCount(f"{len(weights)} weights for {len(self._bases)} bases")
        if not self._tables:
            return product_of_signed_powers(list(zip(self._bases, weights, strict=True)), self._n)
        groups = [weights[start : start + self._group] for start in range(0, len(weights), self._group)]
        # Two's complement: the top bit counts negatively, all others positively.
        top = self._product_at(groups, self._bits - 1)
        total = top if top is nadic.ONE else nadic.inverse(top, self._n)
        for bit in range(self._bits - 2, -1, -1):
            if total is not nadic.ONE:
                total = nadic.square(total, self._n)
            here = self._product_at(groups, bit)
            if here is not nadic.ONE:
                total = here if total is nadic.ONE else nadic.multiply(total, here, self._n)
        return total

    def _product_at(self, groups: Sequence[Sequence[int]], bit: int) -> Pair:
        """Product of the bases whose weight has this bit set."""
        total = nadic.ONE
        for part, table in zip(groups, self._tables, strict=True):
            index = sum(((weight >> bit) & 1) << place for place, weight in enumerate(part))
            if index:
                total = table[index] if total is nadic.ONE else nadic.multiply(total, table[index], self._n)
        return total


def _best_group(bases: int, scorecards: int, bits: int) -> int:
    """Bases per subset table, or 0 when each scorecard for itself is cheaper."""
    costs = {group: straus_cost(bases, scorecards, bits, group) for group in range(2, MAX_STRAUS_GROUP + 1)}
    costs[0] = scorecards * sequence_cost(bases, bits)
    return min(costs, key=lambda group: costs[group])


def straus_cost(bases: int, scorecards: int, bits: int, group: int) -> float:
    """Expected products: tables once; per scorecard the squarings and one product per group and bit that has any."""
    groups = -(-bases // group)
    tables = groups * ((1 << group) - 1 - group)
    return tables + scorecards * (bits + bits * groups * (1 - 0.5**group))


def sequence_cost(bases: int, bits: int) -> float:
    """Products of `product_of_signed_powers`, fitted to random signed exponents: within 20 % for 10 to 2,000 bases."""
    if bases <= MAX_ONE_SEQUENCE:
        return bases * (0.5 + (bits - 1) * 1.18 / log2(max(2, bases)))
    half = bases / 2
    return 2 * half * (bits - 1) * 1.3 / log2(half)


def _subset_products(bases: Sequence[Pair], n: int) -> list[Pair]:
    """table[s] = product of the bases whose bit is set in s."""
    table = [nadic.ONE]
    for base in bases:
        table += [base if entry is nadic.ONE else nadic.multiply(entry, base, n) for entry in table]
    return table
