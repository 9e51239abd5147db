"""Π b_i^(e_i) modulo n against the plain powers, at the exponents where the algorithm branches."""

import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from paillier.simultaneous_power import simultaneous_power

MODULUS = mpz(2**61 - 1)


def plainly(bases: list[int], exponents: list[int]) -> int:
    product = 1
    for base, exponent in zip(bases, exponents, strict=True):
        product = product * pow(base, exponent, int(MODULUS)) % int(MODULUS)
    return product


@pytest.mark.parametrize(
    ("bases", "exponents"),
    [
        ([], []),
        ([7, 11], [0, 0]),
        ([7], [1]),
        ([7], [65535]),
        ([7, 11, 13], [1, 1, 1]),
        ([7, 11], [65535, 65535]),
        ([7, 11], [65535, 1]),
        ([7, 11, 13], [0, 40000, 3]),
        ([7, 11], [12, 4]),
        ([2**61 - 2, 2**61 - 2], [65535, 2]),
    ],
)
def test_chosen_exponents(bases: list[int], exponents: list[int]) -> None:
    assert simultaneous_power([mpz(base) for base in bases], exponents, MODULUS) == plainly(bases, exponents)


@given(st.lists(st.tuples(st.integers(1, 2**61 - 2), st.integers(0, 65535)), max_size=40))
def test_any_exponents(terms: list[tuple[int, int]]) -> None:
    bases, exponents = [base for base, _ in terms], [exponent for _, exponent in terms]
    assert simultaneous_power([mpz(base) for base in bases], exponents, MODULUS) == plainly(bases, exponents)


def test_the_bases_stay_as_they_are() -> None:
    bases = [mpz(3), mpz(5), mpz(7)]
    simultaneous_power(bases, [9, 4, 2], MODULUS)
    assert bases == [3, 5, 7]
