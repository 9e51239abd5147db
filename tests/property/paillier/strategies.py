"""Arbitrary columns, raw values as a database may return them, and scorecards over them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from paillier.columns import MAX_FIXED, MAX_SCALE, BinnedColumn, Column, NumericColumn

small_integers = st.integers(-10_000, 10_000)
fixed_points = st.one_of(small_integers, st.integers(-MAX_FIXED, MAX_FIXED))
weights_16_bit = st.one_of(
    st.sampled_from([-32768, -32767, -1, 0, 1, 32767]), st.integers(-32768, 32767), st.integers(-5, 5)
)
weights_32_bit = st.one_of(
    st.sampled_from([-(1 << 31), (1 << 31) - 1]), st.integers(-(1 << 31), (1 << 31) - 1), weights_16_bit
)

raw_values: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    small_integers,
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(max_size=10),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.sampled_from(["", "n/a", "1e999999", "-1e999999", "sNaN", Decimal("sNaN"), Decimal("1E-99999"), b"1"]),
)


@st.composite
def numeric_columns(draw: st.DrawFn) -> NumericColumn:
    lo, hi = sorted(draw(st.tuples(fixed_points, fixed_points).filter(lambda ends: ends[0] != ends[1])))
    return NumericColumn("numeric", draw(st.integers(0, MAX_SCALE)), lo, hi, draw(st.booleans()))


@st.composite
def binned_columns(draw: st.DrawFn) -> BinnedColumn:
    edges = draw(st.lists(fixed_points, min_size=1, max_size=6, unique=True))
    return BinnedColumn("binned", draw(st.integers(0, MAX_SCALE)), tuple(sorted(edges)))


columns: st.SearchStrategy[Column] = st.one_of(numeric_columns(), binned_columns())


@dataclass(frozen=True)
class Case:
    """A scorecard and one company."""

    columns: list[Column]
    values: list[Any]
    weights: list[int]
    bias: int

    @property
    def encoded(self) -> list[int]:
        pairs = zip(self.columns, self.values, strict=True)
        return [number for column, value in pairs for number in column.encode(value)]

    @property
    def plaintext_score(self) -> int:
        return self.bias + sum(w * x for w, x in zip(self.weights, self.encoded, strict=True))


@st.composite
def cases(draw: st.DrawFn, weights: st.SearchStrategy[int] = weights_32_bit) -> Case:
    chosen = draw(st.lists(columns, min_size=0, max_size=5))
    width = sum(column.width for column in chosen)
    return Case(
        chosen,
        [draw(raw_values) for _ in chosen],
        draw(st.lists(weights, min_size=width, max_size=width)),
        draw(st.one_of(small_integers, st.integers(-(1 << 70), 1 << 70))),
    )
