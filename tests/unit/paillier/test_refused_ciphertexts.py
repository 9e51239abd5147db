"""Every check of a received ciphertext (design 2), at every function that takes ciphertexts from others.

One bad ciphertext stands between good ones; each function refuses by the defect, and nothing is computed of the rest.
"""

from collections.abc import Callable, Sequence

import pytest
from gmpy2 import mpz

from paillier import errors, wire
from paillier.encryption import Encryptor
from paillier.linear import rerandomise, weighted_sum
from paillier.packing import SlotLayout
from paillier.portfolio import PortfolioScorecard, score_portfolio
from paillier.private import PrivateKey
from paillier.private.portfolio import decrypt_scores

LAYOUT = SlotLayout(16, 1)

DEFECTS: dict[str, tuple[Callable[[PrivateKey], int | mpz], type[errors.PaillierError]]] = {
    "zero": (lambda _: 0, errors.CiphertextOutOfRange),
    "n_squared": (lambda key: key.public.n_squared, errors.CiphertextOutOfRange),
    "above_n_squared": (lambda key: key.public.n_squared + 1, errors.CiphertextOutOfRange),
    "all_bits": (lambda key: (1 << 2 * key.public.bits) - 1, errors.CiphertextOutOfRange),
    "n": (lambda key: key.public.n, errors.CiphertextNotUnit),
    "multiple_of_n": (lambda key: key.public.n_squared - key.public.n, errors.CiphertextNotUnit),
    "p": (lambda key: key.p, errors.CiphertextNotUnit),
    "p_squared": (lambda key: key.p**2, errors.CiphertextNotUnit),
    "multiple_of_q": (lambda key: key.public.n_squared - key.q, errors.CiphertextNotUnit),
}
"""Ciphertexts that no honest sender makes, and the error that names why."""


def raw(ciphertexts: Sequence[int | mpz], key: PrivateKey) -> bytes:
    """Joined without any check, as a hostile sender does."""
    return b"".join(int(c).to_bytes(key.public.ciphertext_bytes, "big") for c in ciphertexts)


def split(key: PrivateKey, column: list[int | mpz]) -> object:
    return wire.split(raw(column, key), key.public, len(column))


def score_as_a_column(key: PrivateKey, column: list[int | mpz]) -> object:
    card = PortfolioScorecard([1, 0], 0, 0, 100)
    good = raw([1] * len(column), key)
    return score_portfolio(key.public, LAYOUT, [good, raw(column, key)], [card], len(column))


def open_as_scores(key: PrivateKey, column: list[int | mpz]) -> object:
    return decrypt_scores(key, LAYOUT, raw(column, key), len(column), 0, 100)


CONSUMERS: dict[str, Callable[[PrivateKey, list[int | mpz]], object]] = {
    "wire.split": split,
    "PrivateKey.decrypt_many": lambda key, column: key.decrypt_many(column),
    "PrivateKey.decrypt": lambda key, column: key.decrypt(column[2]),
    "score_portfolio": score_as_a_column,
    "decrypt_scores": open_as_scores,
}


@pytest.mark.parametrize("consumer", CONSUMERS)
@pytest.mark.parametrize("defect", DEFECTS)
def test_each_consumer_refuses_each_defect(
    key: PrivateKey, encryptor: Encryptor, defect: str, consumer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, error = DEFECTS[defect]
    monkeypatch.setattr(PrivateKey, "_decrypt_checked", lambda *_: pytest.fail("something was decrypted"))
    good = wire.split(encryptor.encrypt([3, 4, 5]), key.public, 3)
    with pytest.raises(errors.PaillierError) as caught:
        CONSUMERS[consumer](key, [*good[:2], make(key), good[2]])
    assert type(caught.value) is error
    if consumer != "PrivateKey.decrypt":
        assert "ciphertext 2 " in str(caught.value)


@pytest.mark.parametrize("defect", [name for name in DEFECTS if DEFECTS[name][1] is errors.CiphertextOutOfRange])
def test_arithmetic_refuses_what_is_out_of_range(key: PrivateKey, defect: str) -> None:
    bad = mpz(DEFECTS[defect][0](key))
    with pytest.raises(errors.CiphertextOutOfRange):
        weighted_sum(key.public, [mpz(1), bad], [1, 1], 0)
    with pytest.raises(errors.CiphertextOutOfRange):
        rerandomise(key.public, bad, weight_bits=16, columns=1)


def test_the_neighbours_alone_are_accepted_by_every_consumer(key: PrivateKey, encryptor: Encryptor) -> None:
    """Otherwise the refusals above could have other reasons."""
    column = wire.split(encryptor.encrypt([3, 4, 5]), key.public, 3)
    for consume in CONSUMERS.values():
        assert consume(key, list(column)) is not None
    assert open_as_scores(key, list(column)) == [3, 4, 5]
