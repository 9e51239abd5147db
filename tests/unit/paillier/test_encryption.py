"""Encryption: the formula, tables for every window, freshness, refusals, and the cache of active keys."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from gmpy2 import mpz

from paillier import encryption, errors, nadic
from paillier.encryption import Encryptor, table_bytes, window_for
from paillier.private import PrivateKey
from paillier.public_key import PublicKey
from paillier.short_exponent import (
    exponent_bits,
    rerandomising_exponent_bits,
    short_exponent_base,
)
from paillier.wire import split
from tests.support.paillier_keys import key_3072


def test_the_base_is_derived_as_documented(public: PublicKey) -> None:
    n = int(public.n)
    label = b"consentgate/paillier/short-exponent-base/v1\x00"
    x = int.from_bytes(hashlib.shake_256(label + n.to_bytes(256, "big")).digest((2048 + 128) // 8), "big") % n
    assert short_exponent_base(public) == pow(-x * x % n, n, n * n)


def test_exponent_lengths(public: PublicKey) -> None:
    assert exponent_bits(public) == 1024
    assert rerandomising_exponent_bits(public, 16, 40) == 1024 + 16 + 6 + 128
    assert rerandomising_exponent_bits(public, 32, 0) == 1024 + 32 + 1 + 128


@pytest.mark.parametrize("window", [1, 3, 5])  # 3 and 5 do not divide 1024: the last row is shorter
def test_tables_of_every_window_hold_the_same_powers(public: PublicKey, window: int) -> None:
    encryptor = Encryptor(public, window=window)
    base = short_exponent_base(public)
    for exponent in (0, 1, (1 << 1024) - 1, 1 << 1023, (1 << 1024) // 7):
        power = nadic.to_integer(encryptor.power(exponent), public.n)
        assert power == pow(base, exponent, public.n_squared)


@pytest.mark.parametrize("exponent", [-1, 1 << 1024])
def test_exponents_outside_the_tables_are_refused(encryptor: Encryptor, exponent: int) -> None:
    with pytest.raises(errors.ParameterOutOfRange):
        encryptor.power(exponent)


def test_edges_decrypt(key: PrivateKey, encryptor: Encryptor) -> None:
    n = int(key.public.n)
    values = [0, 1, n // 2, n - 1]
    ciphertexts = split(encryptor.encrypt(values), key.public, len(values))
    assert [key.decrypt(c) for c in ciphertexts] == values


def test_the_default_size_decrypts() -> None:
    key = key_3072()
    data = Encryptor(key.public, window=2).encrypt([0, 5, int(key.public.n) - 1])
    assert [key.decrypt(c) for c in split(data, key.public, 3)] == [0, 5, key.public.n - 1]


def test_no_values_give_no_bytes(encryptor: Encryptor) -> None:
    assert encryptor.encrypt([]) == b""


def test_two_encryptions_of_one_value_differ(public: PublicKey, encryptor: Encryptor) -> None:
    ciphertexts = split(encryptor.encrypt([7] * 50), public, 50)
    assert len(set(ciphertexts)) == 50


def test_exponents_come_from_the_csprng_with_the_published_length(
    encryptor: Encryptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def recorded(bits: int) -> int:
        asked.append(bits)
        return (1 << bits) - 1

    monkeypatch.setattr(encryption.secrets, "randbits", recorded)
    encryptor.encrypt([1, 2])
    assert asked == [1024, 1024]


@pytest.mark.parametrize("value", [-1, True, 1.0, "1", None], ids=repr)
def test_what_is_not_a_plaintext_is_refused(encryptor: Encryptor, value: Any) -> None:
    with pytest.raises(errors.PlaintextOutOfRange, match="plaintext 1"):
        encryptor.encrypt([0, value])


def test_n_is_refused_as_plaintext_without_quoting_it(encryptor: Encryptor, public: PublicKey) -> None:
    with pytest.raises(errors.PlaintextOutOfRange) as caught:
        encryptor.encrypt([mpz(public.n)])
    assert str(public.n)[:10] not in str(caught.value)


def test_the_window_follows_the_budget(public: PublicKey) -> None:
    for window in (2, 3, 4):
        encryptor = Encryptor(public, memory_budget_bytes=table_bytes(public, window))
        assert encryptor.window == window
        assert encryptor.table_bytes <= table_bytes(public, window)
    assert table_bytes(key_3072().public, 8) < encryption.DEFAULT_MEMORY_BUDGET_BYTES


@pytest.mark.parametrize("window", [11, 12])
def test_the_widest_window_that_fits_is_chosen(public: PublicKey, window: int) -> None:
    """Without building tables of that size."""
    for spare in (0, 1000):
        assert encryption._choose_window(public, table_bytes(public, window) + spare, None) == window
    assert encryption._choose_window(public, table_bytes(public, window) - 1, None) == window - 1


def test_budget_and_window_are_checked(public: PublicKey) -> None:
    with pytest.raises(errors.MemoryBudgetTooSmall):
        Encryptor(public, memory_budget_bytes=1000)
    with pytest.raises(errors.MemoryBudgetTooSmall):
        Encryptor(public, memory_budget_bytes=table_bytes(public, 4) - 1, window=4)
    for window in (0, 13):
        with pytest.raises(errors.ParameterOutOfRange):
            Encryptor(public, window=window)


def test_threads_share_an_encryptor(key: PrivateKey, encryptor: Encryptor) -> None:
    with ThreadPoolExecutor(4) as executor:
        columns = list(executor.map(lambda v: encryptor.encrypt([v]), range(24)))
    assert [key.decrypt(split(c, key.public, 1)[0]) for c in columns] == list(range(24))


def test_a_portfolio_pays_for_a_wider_window_than_one_company(public: PublicKey) -> None:
    budget = 1 << 30
    windows = [window_for(public, ciphertexts, budget) for ciphertexts in (1, 100, 10_000, 10_000_000)]
    assert windows == sorted(windows)
    assert windows[0] < windows[-1] == 12


def test_the_window_of_a_portfolio_stays_within_the_budget(public: PublicKey) -> None:
    budget = table_bytes(public, 5)
    assert window_for(public, 10_000_000, budget) == 5
    with pytest.raises(errors.MemoryBudgetTooSmall):
        window_for(public, 1, 1000)
