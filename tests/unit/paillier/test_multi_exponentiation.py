"""Both algorithms against plain exponentiation, for every parameter, and the choice between them."""

import random

import pytest
from gmpy2 import mpz

from paillier import multi_exponentiation, nadic
from paillier.multi_exponentiation import (
    MAX_STRAUS_GROUP,
    pippenger,
    pippenger_cost,
    product_of_powers,
    straus,
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
    "equal": [12345] * 12,
    "mixed_lengths": [1, 3, 1 << 15, 77, 2, 65535, 1, 1 << 20],
    "random": [RANDOM.randrange(1, 1 << 16) for _ in range(23)],
}


def make_terms(exponents: list[int]) -> list[tuple[Pair, int]]:
    return [(nadic.from_integer(mpz(RANDOM.randrange(1, int(N * N))), N), e) for e in exponents]


def expected(terms: list[tuple[Pair, int]]) -> Pair:
    total = mpz(1)
    for base, exponent in terms:
        total = total * pow(nadic.to_integer(base, N), exponent, N * N) % (N * N)
    return nadic.from_integer(total, N)


@pytest.mark.parametrize("name", EXPONENTS)
@pytest.mark.parametrize("group", range(1, MAX_STRAUS_GROUP + 1))
def test_straus(name: str, group: int) -> None:
    terms = make_terms(EXPONENTS[name])
    bits = max(EXPONENTS[name]).bit_length()
    assert straus(terms, N, bits, group) == expected(terms)


@pytest.mark.parametrize("name", EXPONENTS)
@pytest.mark.parametrize("window", [1, 2, 3, 5, 8])
def test_pippenger(name: str, window: int) -> None:
    terms = make_terms(EXPONENTS[name])
    bits = max(EXPONENTS[name]).bit_length()
    assert pippenger(terms, N, bits, window) == expected(terms)


@pytest.mark.parametrize("name", EXPONENTS)
def test_the_chosen_algorithm(name: str) -> None:
    terms = make_terms(EXPONENTS[name])
    assert product_of_powers(terms, N) == expected(terms)


def test_nothing_to_multiply_gives_one() -> None:
    assert product_of_powers([], N) == nadic.ONE


def test_straus_serves_few_bases_and_pippenger_many(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[str] = []
    for name in ("straus", "pippenger"):
        original = getattr(multi_exponentiation, name)

        def recorded(*args: object, _name: str = name, _original: object = original) -> Pair:
            chosen.append(_name)
            return _original(*args)  # type: ignore[operator,no-any-return]

        monkeypatch.setattr(multi_exponentiation, name, recorded)
    product_of_powers(make_terms([65535] * 3), N)
    product_of_powers(make_terms([65535] * 300), N)
    assert chosen == ["straus", "pippenger"]


@pytest.mark.parametrize("count", [1, 4, 40, 400])
def test_the_predicted_cost_is_near_the_real_number_of_products(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    products = 0

    def counting(original: object) -> object:
        def wrapped(*args: object) -> Pair:
            nonlocal products
            products += 1
            return original(*args)  # type: ignore[operator,no-any-return]

        return wrapped

    monkeypatch.setattr(nadic, "multiply", counting(nadic.multiply))
    monkeypatch.setattr(nadic, "square", counting(nadic.square))
    terms = make_terms([RANDOM.randrange(1 << 15, 1 << 16) for _ in range(count)])
    for algorithm, cost, parameter in ((straus, straus_cost, 3), (pippenger, pippenger_cost, 4)):
        products = 0
        algorithm(terms, N, 16, parameter)
        assert products <= 1.1 * cost(count, 16, parameter) + 16
