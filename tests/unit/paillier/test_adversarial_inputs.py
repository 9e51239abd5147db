"""Inputs chosen to hit carries and borrows, both ends of the ring and the widest weights, not random ones."""

import itertools
from collections.abc import Callable

import phe
import pytest
from gmpy2 import mpz

from paillier import errors, nadic
from paillier.encryption import Encryptor
from paillier.linear import rerandomise, weighted_sum
from paillier.multi_exponentiation import SharedBases
from paillier.packing import SlotLayout
from paillier.portfolio import PortfolioScorecard, encrypt_column, score_portfolio
from paillier.private import PrivateKey
from paillier.private.portfolio import decrypt_scores
from paillier.score_range import decode_signed
from paillier.wire import join, split
from tests.support.paillier_keys import key_3072, other_key_2048

WEIGHT_ENDS = [-(1 << 31), -32768, -1, 0, 1, 32767, (1 << 31) - 1]


@pytest.fixture(scope="module")
def ring_ends(key: PrivateKey) -> list[int]:
    """Where a sum wraps around n, changes its sign or has every bit set."""
    n = int(key.public.n)
    return [0, 1, n // 2, n // 2 + 1, (1 << 2047) - 1, n - 2, n - 1]


@pytest.fixture(scope="module")
def ciphertexts(key: PrivateKey, encryptor: Encryptor, ring_ends: list[int]) -> list[mpz]:
    return split(encryptor.encrypt(ring_ends), key.public, len(ring_ends))


@pytest.mark.parametrize("weight", WEIGHT_ENDS)
def test_both_ends_of_the_ring_under_both_ends_of_the_weights(
    key: PrivateKey, ciphertexts: list[mpz], ring_ends: list[int], weight: int
) -> None:
    n = int(key.public.n)
    for bias in (0, n // 2, -(n // 2)):
        total = weighted_sum(key.public, ciphertexts, [weight] * len(ring_ends), bias)
        assert key.decrypt(total) == (bias + weight * sum(ring_ends)) % n


def test_opposite_weights_cancel_to_the_bias(key: PrivateKey, ciphertexts: list[mpz]) -> None:
    twice = [c for c in ciphertexts for _ in range(2)]
    weights = [sign * w for w in WEIGHT_ENDS[1:] for sign in (1, -1)]
    total = weighted_sum(key.public, twice[: len(weights)], weights[::-1][: len(twice)], -1)
    assert decode_signed(key.decrypt(total), key.public) == -1


def test_a_sum_of_zeros_and_of_the_trivial_ciphertext(key: PrivateKey) -> None:
    """1 is the ciphertext of 0 without randomness: a unit, allowed, and hidden by re-randomising."""
    assert weighted_sum(key.public, [mpz(1)] * 3, [5, -5, 0], 0) == 1
    fresh = rerandomise(key.public, mpz(1), weight_bits=1, columns=0)
    assert fresh != 1
    assert key.decrypt(fresh) == 0


def test_ciphertexts_at_both_ends_of_n_squared(key: PrivateKey) -> None:
    """1 and n² - 1 (which is -1, an n-th residue: it opens to 0) are the extreme units."""
    last = key.public.n_squared - 1
    assert split(join([1, last], key.public), key.public, 2) == [1, last]
    assert key.decrypt(last) == 0
    assert key.decrypt(weighted_sum(key.public, [last, last], [3, -4], 9)) == 9


@pytest.mark.parametrize("digits", list(itertools.product([0, 1, -1], repeat=4)), ids=str)
def test_products_of_pairs_whose_digits_are_extreme(digits: tuple[int, ...]) -> None:
    """Digits 0, 1 and n - 1 in every place: the largest quotients and the largest sums before reduction."""
    n = mpz((1 << 89) - 1)
    x0, x1, y0, y1 = (mpz(digit) % n for digit in digits)
    product = nadic.from_integer((x0 + x1 * n) * (y0 + y1 * n) % (n * n), n)
    assert nadic.multiply((x0, x1), (y0, y1), n) == product
    assert nadic.square((x0, x1), n) == nadic.from_integer((x0 + x1 * n) ** 2 % (n * n), n)


@pytest.mark.parametrize("weights", list(itertools.product([-8, -1, 0, 7], repeat=3)), ids=str)
def test_shared_tables_at_the_ends_of_twos_complement(
    weights: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """4-bit weights: the top bit counts negatively, so -8 (only the top bit) and -1 (all bits) are the borders."""
    monkeypatch.setattr("paillier.multi_exponentiation._best_group", lambda *_: 2)
    n, values = mpz((1 << 61) - 1), (3, 5, 7)
    shared = SharedBases([nadic.from_integer(mpz(v), n) for v in values], n, scorecards=9, weight_bits=4)
    expected = mpz(1)
    for value, weight in zip(values, weights, strict=True):
        expected = expected * pow(mpz(value), weight, n * n) % (n * n)
    assert shared.product_of_signed_powers(weights) == nadic.from_integer(expected, n)


@pytest.mark.parametrize("weight", [-(1 << 31), -1, (1 << 31) - 1])
def test_the_ends_of_the_ring_at_the_default_size(weight: int) -> None:
    """Where arithmetic is in pairs throughout: tables, products, both halves of decryption."""
    key = key_3072()
    n = int(key.public.n)
    values = [0, 1, n // 2, n // 2 + 1, (1 << 3071) - 1, n - 2, n - 1]
    made = split(Encryptor(key.public, window=2).encrypt(values), key.public, len(values))
    assert key.decrypt_many(made) == values
    total = weighted_sum(key.public, made, [weight] * len(values), -(n // 2))
    assert key.decrypt(total) == (weight * sum(values) - n // 2) % n


@pytest.mark.parametrize("digits", list(itertools.product([0, 1, -1], repeat=2)), ids=str)
def test_ciphertexts_whose_digits_are_extreme_are_opened(digits: tuple[int, int]) -> None:
    """c = c0 + c1·n with digits 0, 1 and n - 1: the largest quotients and sums of the arithmetic modulo p and q."""
    key = key_3072()
    n = int(key.public.n)
    c = digits[0] % n + digits[1] % n * n
    if c % n == 0:
        with pytest.raises(errors.PaillierError):
            key.decrypt(c)
        return
    assert key.decrypt(c) == phe.PaillierPrivateKey(phe.PaillierPublicKey(n), int(key.p), int(key.q)).raw_decrypt(c)


# --- slots --------------------------------------------------------------------------------------------------


TOP = (1 << 16) - 1
PATTERNS: dict[str, Callable[[int], int]] = {
    "all_lowest": lambda _: 0,
    "all_highest": lambda _: TOP,
    "alternating_from_low": lambda place: TOP * (place % 2),
    "alternating_from_high": lambda place: TOP * ((place + 1) % 2),
    "one_high_among_low": lambda place: TOP * (place == 5),
    "one_low_among_high": lambda place: TOP * (place != 5),
    "highest_bit_only": lambda _: 1 << 15,
}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("weights", [[-32768, -32768], [32767, 32767], [-32768, 32767], [1, -1], [-1, 0]], ids=str)
def test_no_carry_or_borrow_crosses_a_border_of_full_slots(
    key: PrivateKey, encryptor: Encryptor, pattern: str, weights: list[int]
) -> None:
    """Every slot of the plaintext is used, in a slot exactly as wide as the score's range."""
    low, high = (sum(end(0, weight * TOP) for weight in weights) for end in (min, max))
    card = PortfolioScorecard(weights, 0, low, high)
    layout = SlotLayout.for_key(key.public, max(16, (high - low).bit_length()))
    values = [PATTERNS[pattern](place) for place in range(layout.slots)]
    column = encrypt_column(encryptor, layout, values)
    (scores,) = score_portfolio(key.public, layout, [column, column], [card], layout.slots)
    plain = [sum(weights) * value for value in values]
    assert decrypt_scores(key, layout, scores, layout.slots, low, high) == plain


def test_a_slot_filled_to_its_last_bit_is_accepted_and_one_more_refused(key: PrivateKey, encryptor: Encryptor) -> None:
    card = PortfolioScorecard([1], -5, -5, TOP - 5)
    layout = SlotLayout(16, 3)
    column = encrypt_column(encryptor, layout, [TOP, 0, TOP])
    (scores,) = score_portfolio(key.public, layout, [column], [card], 3)
    assert decrypt_scores(key, layout, scores, 3, -5, TOP - 5) == [TOP - 5, -5, TOP - 5]
    wider = PortfolioScorecard([1], -5, -5, TOP - 4)
    with pytest.raises(errors.ParameterOutOfRange):
        score_portfolio(key.public, layout, [column], [wider], 3)


@pytest.mark.parametrize("lie", [-1, 1])
def test_a_gateway_that_lets_the_top_slot_overflow_is_noticed(key: PrivateKey, encryptor: Encryptor, lie: int) -> None:
    """Adding ±1 beyond a full or empty portfolio: a carry above the last slot, or a negative number modulo n."""
    layout = SlotLayout(16, 4)
    column = encrypt_column(encryptor, layout, [TOP if lie > 0 else 0] * 4)
    changed = weighted_sum(key.public, split(column, key.public, 1), [1], lie)
    with pytest.raises(errors.SlotsOverflow):
        decrypt_scores(key, layout, join([changed], key.public), 4, 0, TOP)


def test_a_column_under_another_key_never_opens(key: PrivateKey, encryptor: Encryptor) -> None:
    other = other_key_2048()
    layout = SlotLayout(16, 100)
    column = encrypt_column(encryptor, layout, [7] * 50)
    with pytest.raises(errors.PaillierError):
        decrypt_scores(other, layout, column, 50, 0, TOP)
    assert other.public.key_id != encryptor.public_key.key_id
