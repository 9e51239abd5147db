"""Addition sequences and Straus against plain powers, for exponents of every shape, and the choice between them."""

import random
from collections.abc import Callable, Iterator
from math import gcd

import pytest
from gmpy2 import mpz

from paillier import multi_exponentiation, nadic
from paillier.errors import WeightCount
from paillier.multi_exponentiation import (
    SharedBases,
    product_of_powers,
    product_of_signed_powers,
    sequence_cost,
    straus_cost,
)
from paillier.nadic import Pair

N = mpz(10**30 + 57)
RANDOM = random.Random(20250101)  # noqa: S311 (repeatable test data)

EXPONENTS: dict[str, list[int]] = {
    "one_term": [5],
    "all_ones": [1] * 7,
    "powers_of_two": [1 << bit for bit in range(16)],
    "all_bits_set": [(1 << 16) - 1] * 9,
    "largest_weight": [1 << 31, 1, (1 << 31) - 1],
    "one_divides_another": [1 << 20, 1 << 10, 3, 9, 27],
    "equal": [12345] * 12,
    "mixed_lengths": [1, 3, 1 << 15, 77, 2, 65535, 1, 1 << 20],
    "random": [RANDOM.randrange(1, 1 << 16) for _ in range(23)],
}
SIGNED: dict[str, list[int]] = {
    "all_zero": [0, 0, 0],
    "one_negative": [-1],
    "extremes": [-(1 << 31), (1 << 31) - 1, -1, 1, 0],
    "cancelling": [7, -7, 7, -7],
    "only_negative": [-5, -32768, -3],
    "random": [RANDOM.randrange(-(1 << 15), 1 << 15) for _ in range(21)],
}


def make_terms(exponents: list[int]) -> list[tuple[Pair, int]]:
    return [(nadic.from_integer(unit(), N), e) for e in exponents]


def unit() -> mpz:
    while True:
        found = RANDOM.randrange(1, int(N * N))
        if gcd(found, int(N)) == 1:
            return mpz(found)


def expected(terms: list[tuple[Pair, int]]) -> Pair:
    total = 1
    modulus = int(N * N)
    for base, exponent in terms:
        total = total * pow(int(nadic.to_integer(base, N)), exponent, modulus) % modulus
    return nadic.from_integer(mpz(total), N)


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Counts products and squares in its only element."""
    count = [0]

    def counting(original: Callable[..., Pair]) -> Callable[..., Pair]:
        def wrapped(*args: object) -> Pair:
            count[0] += 1
            return original(*args)

        return wrapped

    monkeypatch.setattr(nadic, "multiply", counting(nadic.multiply))
    monkeypatch.setattr(nadic, "square", counting(nadic.square))
    return iter([count])


@pytest.mark.parametrize("name", EXPONENTS)
def test_positive_exponents(name: str) -> None:
    terms = make_terms(EXPONENTS[name])
    assert product_of_powers(terms, N) == expected(terms)


@pytest.mark.parametrize("name", SIGNED)
def test_signed_exponents(name: str) -> None:
    terms = make_terms(SIGNED[name])
    assert product_of_signed_powers(terms, N) == expected(terms)


@pytest.mark.parametrize("signs", ["+++++", "-----", "++--+", "+----", "-++++"])
def test_every_balance_of_signs(signs: str) -> None:
    exponents = [int(f"{sign}{32767 - 1000 * place}") for place, sign in enumerate(signs)]
    terms = make_terms(exponents)
    assert product_of_signed_powers(terms, N) == expected(terms)


def test_equal_exponents_share_their_product() -> None:
    terms = make_terms([12345] * 6 + [-12345] * 5)
    assert product_of_signed_powers(terms, N) == expected(terms)


def test_nothing_to_multiply_gives_one() -> None:
    assert product_of_powers([], N) == nadic.ONE
    assert product_of_signed_powers([], N) == nadic.ONE


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("group", [0, 2, 3, 5, 8])
def test_shared_bases_with_every_group_size(name: str, group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multi_exponentiation, "_best_group", lambda *_: group)
    terms = make_terms(SIGNED[name])
    shared = SharedBases([base for base, _ in terms], N, scorecards=2, weight_bits=32)
    assert bool(shared._tables) == bool(group)
    assert shared.product_of_signed_powers(SIGNED[name]) == expected(terms)
    assert shared.product_of_signed_powers([0] * len(terms)) == nadic.ONE


def test_a_weight_is_needed_for_every_base() -> None:
    shared = SharedBases([base for base, _ in make_terms([1, 2])], N, scorecards=1, weight_bits=16)
    with pytest.raises(WeightCount):
        shared.product_of_signed_powers([1])


def test_one_scorecard_shares_nothing_and_hundreds_do() -> None:
    bases = [base for base, _ in make_terms([1] * 20)]
    assert not SharedBases(bases, N, scorecards=1, weight_bits=16)._tables
    assert SharedBases(bases, N, scorecards=200, weight_bits=16)._tables


@pytest.mark.parametrize("count", [10, 40, 400])
def test_the_predicted_cost_of_one_scorecard_is_near_the_real_one(count: int, products: Iterator[list[int]]) -> None:
    counted = next(products)
    terms = make_terms([RANDOM.randrange(-(1 << 15), 1 << 15) for _ in range(count)])
    counted[0] = 0
    product_of_signed_powers(terms, N)
    assert 0.75 * sequence_cost(count, 16) <= counted[0] <= 1.25 * sequence_cost(count, 16)


def test_the_predicted_cost_of_shared_tables_is_near_the_real_one(products: Iterator[list[int]]) -> None:
    counted = next(products)
    bases = [base for base, _ in make_terms([1] * 24)]
    counted[0] = 0
    shared = SharedBases(bases, N, scorecards=100, weight_bits=16)
    for _ in range(100):
        shared.product_of_signed_powers([RANDOM.randrange(-(1 << 15), 1 << 15) for _ in bases])
    assert counted[0] == pytest.approx(straus_cost(24, 100, 16, shared._group), rel=0.15)
