"""Weighted sums and re-randomisation on real ciphertexts."""

import pytest
from gmpy2 import mpz

from paillier import errors, linear
from paillier.encryption import Encryptor
from paillier.linear import rerandomise, weighted_sum
from paillier.private import PrivateKey
from paillier.score_range import decode_signed
from paillier.wire import split

VALUES = [0, 1, 2, (1 << 40) - 1, 12345, 7]


@pytest.fixture(scope="module")
def ciphertexts(key: PrivateKey, encryptor: Encryptor) -> list[mpz]:
    return split(encryptor.encrypt(VALUES), key.public, len(VALUES))


CASES: dict[str, tuple[list[int], int]] = {
    "positive": ([1, 2, 3, 4, 5, 6], 10),
    "negative": ([-1, -2, -3, -4, -5, -6], -10),
    "mixed": ([-32768, 32767, 0, -1, 1, 32767], -(1 << 50)),
    "all_zero": ([0] * 6, -3),
    "one_negative": ([0, 0, 0, 0, -1, 0], 0),
    "widest": ([-(1 << 31), (1 << 31) - 1] * 3, 1 << 62),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_plaintext_arithmetic(name: str, key: PrivateKey, ciphertexts: list[mpz]) -> None:
    weights, bias = CASES[name]
    c = weighted_sum(key.public, ciphertexts, weights, bias)
    expected = bias + sum(w * v for w, v in zip(weights, VALUES, strict=True))
    assert decode_signed(key.decrypt(c), key.public) == expected


def test_no_columns_give_the_bias(key: PrivateKey) -> None:
    assert decode_signed(key.decrypt(weighted_sum(key.public, [], [], -9)), key.public) == -9


def test_it_is_deterministic_so_that_anybody_can_recompute_it(key: PrivateKey, ciphertexts: list[mpz]) -> None:
    weights = [5, -4, 3, -2, 1, 0]
    first = weighted_sum(key.public, ciphertexts, weights, 1)
    naive = mpz(1) + key.public.n
    for c, w in zip(ciphertexts, weights, strict=True):
        naive = naive * pow(c, w, key.public.n_squared) % key.public.n_squared
    assert first == naive


def test_counts_must_agree(key: PrivateKey, ciphertexts: list[mpz]) -> None:
    for weights in ([], [1] * 5, [1] * 7):
        with pytest.raises(errors.WeightCount):
            weighted_sum(key.public, ciphertexts, weights, 0)


@pytest.mark.parametrize("weight", [1 << 31, -(1 << 31) - 1, 1.0, True, None], ids=repr)
def test_a_bad_weight_is_refused(key: PrivateKey, ciphertexts: list[mpz], weight: int) -> None:
    with pytest.raises(errors.WeightOutOfRange, match="weight 1 "):
        weighted_sum(key.public, ciphertexts[:2], [1, weight], 0)


def test_a_bad_ciphertext_is_refused_also_under_weight_zero(key: PrivateKey) -> None:
    for bad in (mpz(0), key.public.n_squared, mpz(-5)):
        with pytest.raises(errors.CiphertextOutOfRange):
            weighted_sum(key.public, [bad], [0], 0)
        with pytest.raises(errors.CiphertextOutOfRange):
            rerandomise(key.public, bad, weight_bits=16, columns=1)


def test_a_bias_beyond_the_modulus_is_refused(key: PrivateKey) -> None:
    for bias in (int(key.public.n), -int(key.public.n)):
        with pytest.raises(errors.ParameterOutOfRange):
            weighted_sum(key.public, [], [], bias)


def test_rerandomising_keeps_the_plaintext_and_changes_the_ciphertext(key: PrivateKey, ciphertexts: list[mpz]) -> None:
    c = weighted_sum(key.public, ciphertexts, [1, -1, 1, -1, 1, -1], 5)
    fresh = {rerandomise(key.public, c, weight_bits=16, columns=6) for _ in range(3)}
    assert len(fresh | {c}) == 4
    assert {key.decrypt(other) for other in fresh} == {key.decrypt(c)}


def test_the_rerandomising_exponent_is_enlarged(key: PrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def recorded(bits: int) -> int:
        asked.append(bits)
        return 0

    monkeypatch.setattr(linear.secrets, "randbits", recorded)
    rerandomise(key.public, mpz(1), weight_bits=16, columns=40)
    assert asked == [1024 + 16 + 6 + 128]


@pytest.mark.parametrize(("weight_bits", "columns"), [(0, 1), (33, 1), (16, -1), (16, (1 << 20) + 1)])
def test_rerandomising_parameters_are_checked(key: PrivateKey, weight_bits: int, columns: int) -> None:
    with pytest.raises(errors.ParameterOutOfRange):
        rerandomise(key.public, mpz(1), weight_bits=weight_bits, columns=columns)
