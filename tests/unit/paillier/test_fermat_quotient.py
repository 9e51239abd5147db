"""(c^(p-1) - 1)/p modulo p in pairs: against the definition, at edges, in both forms, and when something is wrong."""

import gmpy2
import phe
import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from paillier.errors import CiphertextNotUnit
from paillier.private import PrivateKey
from paillier.private import fermat_quotient as module
from paillier.private.fermat_quotient import WINDOW, _power_in_pairs, fermat_quotient, window_digits
from tests.support.paillier_keys import TEST_2048_P, TEST_3072_P, TEST_3072_Q, key_3072

PRIMES = [3, 7, 23, 65539, (1 << 61) - 1, (1 << 127) - 1, TEST_2048_P, TEST_3072_P, TEST_3072_Q]


def by_definition(base: int, prime: int) -> int:
    power = pow(base, prime - 1, prime * prime)
    assert power % prime == 1
    return (power - 1) // prime % prime


@pytest.fixture
def in_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAIRS_FROM_BITS", 1)


@pytest.mark.parametrize("prime", PRIMES)
@pytest.mark.usefixtures("in_pairs")
def test_pairs_give_the_definition_at_edges(prime: int) -> None:
    digits = window_digits(mpz(prime))
    edges = {
        1,
        2,
        prime - 1,
        prime + 1,
        2 * prime - 1,
        prime * prime - 1,
        prime * prime - prime + 1,
        prime * (prime - 1) - 1,
    }
    for base in sorted(base for base in edges if base % prime):
        assert fermat_quotient(mpz(base), mpz(prime), digits) == by_definition(base, prime)


@given(st.integers(1, (1 << 254) - 1))
def test_pairs_give_the_definition_anywhere(base: int) -> None:
    prime = (1 << 127) - 1
    base %= prime * prime
    if base % prime:
        low, quotient = _power_in_pairs(mpz(base), mpz(prime), window_digits(mpz(prime)))
        assert (low, quotient) == (1, by_definition(base, prime))


@pytest.mark.parametrize("prime", PRIMES[:3])
@pytest.mark.usefixtures("in_pairs")
def test_pairs_give_the_definition_for_every_base_of_a_small_prime(prime: int) -> None:
    for base in range(prime * prime):
        if base % prime:
            assert fermat_quotient(mpz(base), mpz(prime), window_digits(mpz(prime))) == by_definition(base, prime)


def test_both_forms_agree_at_every_key_size(monkeypatch: pytest.MonkeyPatch) -> None:
    for prime in (mpz(TEST_2048_P), mpz(TEST_3072_P)):
        digits, base = window_digits(prime), prime * 12345 + 678910
        results = set()
        for from_bits in (1, 1 << 20):
            monkeypatch.setattr(module, "PAIRS_FROM_BITS", from_bits)
            results.add(int(fermat_quotient(base, prime, digits)))
        assert results == {by_definition(int(base), int(prime))}


def test_the_default_key_is_opened_in_pairs_and_the_smallest_is_not(
    key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr(
        module,
        "_power_in_pairs",
        lambda base, prime, digits: opened.append(prime) or _power_in_pairs(base, prime, digits),
    )
    assert key.decrypt(1 + 7 * key.public.n) == 7
    assert opened == []
    assert key_3072().decrypt(1 + 7 * key_3072().public.n) == 7
    assert opened == [key_3072().p, key_3072().q]


@pytest.mark.usefixtures("in_pairs")
def test_pairs_open_what_phe_encrypts_and_phe_opens_what_was_blinded_for_them(key: PrivateKey) -> None:
    n = int(key.public.n)
    oracle = phe.PaillierPrivateKey(phe.PaillierPublicKey(n), int(key.p), int(key.q))
    for message in (0, 1, n // 2, n - 1):
        ciphertext = oracle.public_key.raw_encrypt(message)
        assert key.decrypt(ciphertext) == message
        blinded = ciphertext * int(key._blinding.next(key)) % (n * n)
        assert oracle.raw_decrypt(blinded) == key.decrypt(blinded) == message


def test_the_operations_depend_on_the_length_of_the_prime_alone() -> None:
    """As many digits for primes of one length, whatever their bits, and a product for each, zeros included."""
    sparse, dense = gmpy2.next_prime(mpz(1) << 255), gmpy2.prev_prime(mpz(1) << 256)
    assert len(window_digits(sparse)) == len(window_digits(dense)) == -(-256 // WINDOW)
    assert 0 in window_digits(sparse)
    for prime in (sparse, dense):
        weights = [digit << (WINDOW * place) for place, digit in enumerate(reversed(window_digits(prime)))]
        assert sum(weights) == prime - 1


@pytest.mark.parametrize("from_bits", [1, 1 << 20], ids=["in_pairs", "by_gmp"])
def test_what_cannot_be_is_an_error_and_no_plaintext(monkeypatch: pytest.MonkeyPatch, from_bits: int) -> None:
    """A base that is no unit, a composite in place of the prime, a digit that flipped in memory."""
    monkeypatch.setattr(module, "PAIRS_FROM_BITS", from_bits)
    prime = mpz((1 << 127) - 1)
    digits = window_digits(prime)
    for base in (mpz(0), prime, prime * (prime - 1)):
        with pytest.raises(ArithmeticError):
            fermat_quotient(base, prime, digits)
    with pytest.raises(ArithmeticError):
        fermat_quotient(mpz(2), prime - 2, window_digits(prime - 2))
    if from_bits == 1:
        with pytest.raises(ArithmeticError):
            fermat_quotient(mpz(3), prime, (*digits[:-1], digits[-1] ^ 1))


def test_a_key_refuses_a_ciphertext_that_is_no_unit_before_any_power() -> None:
    key = key_3072()
    with pytest.raises(CiphertextNotUnit):
        key.decrypt(key.p * 5)
