"""Portfolios against plain arithmetic: short last chunks, extreme weights, many scorecards, refusals."""

import random

import pytest

from paillier import errors
from paillier.encryption import Encryptor
from paillier.linear import rerandomise
from paillier.packing import SlotLayout
from paillier.portfolio import PortfolioScorecard, _weight_bits, encrypt_column, score_portfolio
from paillier.private import PrivateKey
from paillier.private.portfolio import decrypt_scores
from paillier.wire import join, split

RANDOM = random.Random(11)  # noqa: S311 (repeatable test data)
TOP = (1 << 10) - 1
"""Largest value of the columns here."""


def scorecard(weights: list[int], bias: int = 7) -> PortfolioScorecard:
    low = bias + sum(min(0, weight * TOP) for weight in weights)
    high = bias + sum(max(0, weight * TOP) for weight in weights)
    return PortfolioScorecard(weights, bias, low, high)


def plain(card: PortfolioScorecard, columns: list[list[int]]) -> list[int]:
    return [
        card.bias + sum(weight * value for weight, value in zip(card.weights, row, strict=True))
        for row in zip(*columns, strict=True)
    ]


def encrypted(
    key: PrivateKey, encryptor: Encryptor, cards: list[PortfolioScorecard], columns: list[list[int]], slot_bits: int
) -> list[list[int]]:
    layout = SlotLayout.for_key(key.public, slot_bits)
    companies = len(columns[0])
    data = [encrypt_column(encryptor, layout, column) for column in columns]
    results = score_portfolio(key.public, layout, data, cards, companies)
    return [
        decrypt_scores(key, layout, result, companies, card.low, card.high)
        for card, result in zip(cards, results, strict=True)
    ]


EXTREMES = {
    "negative only": [-32768, -1, -32768],
    "largest": [32767, 32767, 32767],
    "both": [-32768, 32767, 0],
    "32 bits": [-(1 << 31), (1 << 31) - 1, 1],
    "zero": [0, 0, 0],
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_weights_on_extreme_values(key: PrivateKey, encryptor: Encryptor, name: str) -> None:
    """Neighbours hold the lowest and the highest score: a carry or borrow across their border would show."""
    card = scorecard(EXTREMES[name])
    columns = [[0 if (w < 0) == (i % 2 == 0) else TOP for i in range(5)] for w in EXTREMES[name]]
    slot_bits = max(10, card.layout(key.public).slot_bits)
    assert encrypted(key, encryptor, [card], columns, slot_bits) == [plain(card, columns)]


def test_a_short_last_chunk(key: PrivateKey, encryptor: Encryptor) -> None:
    card = scorecard([3, -5])
    layout = card.layout(key.public)
    companies = layout.slots + 1
    columns = [[RANDOM.randrange(TOP + 1) for _ in range(companies)] for _ in card.weights]
    assert encrypted(key, encryptor, [card], columns, layout.slot_bits) == [plain(card, columns)]


def test_many_scorecards_over_the_same_columns(key: PrivateKey, encryptor: Encryptor) -> None:
    cards = [scorecard([RANDOM.randrange(-99, 99) for _ in range(4)], bias) for bias in range(-20, 20)]
    columns = [[RANDOM.randrange(TOP + 1) for _ in range(9)] for _ in range(4)]
    slot_bits = max(card.layout(key.public).slot_bits for card in cards)
    assert encrypted(key, encryptor, cards, columns, slot_bits) == [plain(card, columns) for card in cards]


def test_a_rerandomised_column_opens_to_the_same_scores(key: PrivateKey, encryptor: Encryptor) -> None:
    card = scorecard([2, -2])
    layout = card.layout(key.public)
    columns = [[1, 2, 3], [3, 2, 1]]
    data = [encrypt_column(encryptor, layout, column) for column in columns]
    (result,) = score_portfolio(key.public, layout, data, [card], 3)
    fresh = [rerandomise(key.public, c, weight_bits=16, columns=2) for c in split(result, key.public, 1)]
    scores = decrypt_scores(key, layout, join(fresh, key.public), 3, card.low, card.high)
    assert scores == plain(card, columns)


def test_no_companies_give_no_ciphertexts(key: PrivateKey, encryptor: Encryptor) -> None:
    assert encrypted(key, encryptor, [scorecard([1])], [[]], 20) == [[]]


def test_values_that_do_not_fit_their_slot_are_refused(encryptor: Encryptor) -> None:
    with pytest.raises(errors.PackedOverflow, match="value 1"):
        encrypt_column(encryptor, SlotLayout(8, 4), [1, 256])


@pytest.mark.parametrize(
    ("weights", "bits"), [([0], 1), ([-1], 1), ([1], 2), ([-8, 7], 4), ([8], 5), ([-9, 0], 5), ([-(1 << 31)], 32)]
)
def test_the_widest_weight_in_twos_complement(weights: list[int], bits: int) -> None:
    """One bit too few would be a wrong score, one too many a squaring more for every chunk."""
    assert _weight_bits([scorecard([0]), scorecard(weights)]) == bits


def test_wrong_shapes_are_refused(key: PrivateKey, encryptor: Encryptor) -> None:
    card = scorecard([1, 1])
    layout = card.layout(key.public)
    column = encrypt_column(encryptor, layout, [1, 2])
    with pytest.raises(errors.WeightCount):
        score_portfolio(key.public, layout, [column], [card], 2)
    with pytest.raises(errors.CiphertextWidth):
        score_portfolio(key.public, layout, [column, column[:-1]], [card], 2)
    wide = PortfolioScorecard([1 << 31, 0], 0, 0, 1)
    with pytest.raises(errors.WeightOutOfRange):
        score_portfolio(key.public, layout, [column, column], [wide], 2)
    with pytest.raises(errors.ParameterOutOfRange, match="does not fit a slot"):
        score_portfolio(key.public, SlotLayout(4, 3), [column, column], [card], 2)


def test_bits_above_the_last_company_are_refused_before_any_score_is_returned(
    key: PrivateKey, encryptor: Encryptor
) -> None:
    layout = SlotLayout(12, 10)
    column = encrypt_column(encryptor, layout, [5, 6, 7])
    with pytest.raises(errors.SlotsOverflow):
        decrypt_scores(key, layout, column, 2, 0, 100)


def test_a_score_outside_the_range_is_refused(key: PrivateKey, encryptor: Encryptor) -> None:
    layout = SlotLayout(12, 10)
    column = encrypt_column(encryptor, layout, [5, 101])
    with pytest.raises(errors.ScoreOutOfRange):
        decrypt_scores(key, layout, column, 2, 0, 100)
