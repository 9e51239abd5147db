"""n-adic pairs against plain integers modulo n²."""

import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from paillier import nadic

N = mpz(7 * 10**20 + 183)
EDGES = [0, 1, N - 1, N, N + 1, 2 * N - 1, N * N - N, N * N - 1]
residues = st.one_of(st.sampled_from([int(e) for e in EDGES]), st.integers(0, int(N * N) - 1))


def pair(value: int) -> nadic.Pair:
    return nadic.from_integer(mpz(value), N)


@given(residues)
def test_split_and_join(value: int) -> None:
    low, high = pair(value)
    assert 0 <= low < N
    assert 0 <= high < N
    assert nadic.to_integer((low, high), N) == value


@given(residues, residues)
def test_product_and_square(x: int, y: int) -> None:
    assert nadic.multiply(pair(x), pair(y), N) == pair(x * y % (N * N))
    assert nadic.square(pair(x), N) == pair(x * x % (N * N))


@given(residues, st.integers(0, int(N) - 1))
def test_adding_a_plaintext(x: int, message: int) -> None:
    assert nadic.add_plaintext(pair(x), mpz(message), N) == pair(x * (1 + message * N) % (N * N))


@pytest.mark.parametrize("value", [1, 2, N + 1, N * N - 1, N * N - N - 1, 12345678901234567890123456789])
def test_inverse(value: int) -> None:
    assert nadic.multiply(pair(value), nadic.inverse(pair(value), N), N) == nadic.ONE


def test_a_non_unit_has_no_inverse() -> None:
    with pytest.raises(ZeroDivisionError):
        nadic.inverse(pair(int(N)), N)
