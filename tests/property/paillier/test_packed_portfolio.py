"""A packed portfolio equals plain arithmetic company by company: any columns, weights, values, missing ones, sizes."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paillier.columns import Column
from paillier.encryption import Encryptor
from paillier.packing import SlotLayout
from paillier.portfolio import PortfolioScorecard, encrypt_column, score_portfolio
from paillier.private.portfolio import decrypt_scores
from paillier.score_range import MAX_SLOT_BITS, score_range
from tests.property.paillier.strategies import columns, raw_values, small_integers, weights_32_bit
from tests.support.paillier_keys import key_2048

KEY = key_2048()


@cache
def encryptor() -> Encryptor:
    return Encryptor(KEY.public, window=6)


@dataclass(frozen=True)
class Portfolio:
    """Columns, values per company, and scorecards over all columns."""

    columns: list[Column]
    companies: list[list[Any]]
    weights: list[list[int]]
    bias: int

    def rows(self) -> list[list[int]]:
        """Encoded positions of each company."""
        return [
            [number for column, value in zip(self.columns, company, strict=True) for number in column.encode(value)]
            for company in self.companies
        ]

    def cards(self) -> list[PortfolioScorecard]:
        """The scorecards with their exact ranges."""
        ranges = [
            score_range(self.columns, weights, self.bias, weight_bits=32, slot_bits=MAX_SLOT_BITS)
            for weights in self.weights
        ]
        return [PortfolioScorecard(w, self.bias, lo, hi) for w, (lo, hi) in zip(self.weights, ranges, strict=True)]


@st.composite
def portfolios(draw: st.DrawFn) -> Portfolio:
    chosen = draw(st.lists(columns, min_size=1, max_size=3))
    width = sum(column.width for column in chosen)
    company = st.tuples(*(raw_values for _ in chosen)).map(list)
    weights = st.lists(weights_32_bit, min_size=width, max_size=width)
    return Portfolio(
        chosen,
        draw(st.lists(company, max_size=7)),
        draw(st.lists(weights, min_size=1, max_size=3)),
        draw(small_integers),
    )


@settings(max_examples=60, deadline=None)
@given(portfolios(), st.integers(1, 4))
def test_every_company_gets_the_plaintext_score(portfolio: Portfolio, slots: int) -> None:
    rows, cards = portfolio.rows(), portfolio.cards()
    widest = max(max(row, default=0).bit_length() for row in [*rows, [0]])
    slot_bits = max([widest, 1, *((card.high - card.low).bit_length() for card in cards)])
    layout = SlotLayout(slot_bits, slots)  # few slots, so that chunks end within the portfolio
    data = [encrypt_column(encryptor(), layout, [row[j] for row in rows]) for j in range(len(cards[0].weights))]
    results = score_portfolio(KEY.public, layout, data, cards, len(rows))
    for card, result in zip(cards, results, strict=True):
        plain = [card.bias + sum(w * x for w, x in zip(card.weights, row, strict=True)) for row in rows]
        assert decrypt_scores(KEY, layout, result, len(rows), card.low, card.high) == plain


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 90))
def test_packing_is_inverse_to_unpacking(data: st.DataObject, bits: int) -> None:
    layout = SlotLayout.for_key(KEY.public, bits)
    top = (1 << bits) - 1
    value = st.one_of(st.sampled_from([0, 1, top, top // 2]), st.integers(0, top))
    values = data.draw(st.lists(value, max_size=layout.slots))
    assert layout.unpack(layout.pack(values), len(values)) == values
