"""Exact worst-case range of a score, and the checks around a decrypted one.

Spec: design 2 "Encoding" (score S = b + Σ w·x over integers; weights signed 16-bit by default, 32 at most; a
range that does not fit the slot is refused at registration) and "Packing" (slot = bitlen(max S - min S)).

`bias` here always means the intercept for *encoded* values (x - lo for numeric columns); `shifted_bias` turns
an intercept for real values into it. Left out: ranges given the correlations of real data. Thread-safety:
pure.
"""

from collections.abc import Iterator, Sequence

from gmpy2 import mpz

from paillier.columns import Column, NumericColumn
from paillier.errors import (
    ParameterOutOfRange,
    PlaintextOutOfRange,
    ScoreOutOfRange,
    ScoreRangeOverflow,
    WeightCount,
    WeightOutOfRange,
)
from paillier.public_key import MIN_KEY_BITS, PublicKey

DEFAULT_WEIGHT_BITS = 16
MAX_WEIGHT_BITS = 32
"""bits, two's complement: 16 means -32768 to 32767."""

DEFAULT_SLOT_BITS = 63
"""bits of max S - min S, and magnitude of both ends: a score is an int64 in every language."""

MAX_SLOT_BITS = MIN_KEY_BITS - 3
"""bits; a signed score of this size is unambiguous modulo the smallest allowed n."""


def score_range(
    columns: Sequence[Column],
    weights: Sequence[int],
    bias: int,
    *,
    weight_bits: int = DEFAULT_WEIGHT_BITS,
    slot_bits: int = DEFAULT_SLOT_BITS,
) -> tuple[int, int]:
    """(lowest, highest) score over every possible input, both attained.

    `weights` lists one weight per ciphertext: for each column in order, as many as `column.width`. Raises
    `WeightCount`, `WeightOutOfRange`, `ScoreRangeOverflow`, and `ParameterOutOfRange` for slot or weight bits.
    """
    if not 1 <= slot_bits <= MAX_SLOT_BITS:
        raise ParameterOutOfRange(f"slot bits must be 1 to {MAX_SLOT_BITS}")
    check_weights(weights, weight_bits)
    extremes = [_extremes(column, part) for column, part in _by_column(columns, weights)]
    lo = bias + sum(low for low, _ in extremes)
    hi = bias + sum(high for _, high in extremes)
    limit = 1 << slot_bits
    if hi - lo >= limit or not (-limit <= lo and hi < limit):
        raise ScoreRangeOverflow(f"the worst-case score does not fit a slot of {slot_bits} bits")
    return lo, hi


def shifted_bias(columns: Sequence[Column], weights: Sequence[int], bias: int) -> int:
    """b' = b + Σ w_j·lo_j over numeric columns: the intercept for encoded values x - lo.

    A missing value counts as lo plus the weight of its indicator. Raises `WeightCount`.
    """
    return bias + sum(
        int(part[0]) * column.lo for column, part in _by_column(columns, weights) if isinstance(column, NumericColumn)
    )


def check_weights(weights: Sequence[int], weight_bits: int) -> None:
    """Raise `WeightOutOfRange` with the index of the first weight too wide or not an integer.

    `ParameterOutOfRange` unless 1 <= weight_bits <= 32.
    """
    if not 1 <= weight_bits <= MAX_WEIGHT_BITS:
        raise ParameterOutOfRange(f"weight bits must be 1 to {MAX_WEIGHT_BITS}")
    half = 1 << (weight_bits - 1)
    for index, weight in enumerate(weights):
        if isinstance(weight, bool) or not isinstance(weight, int) or not -half <= weight < half:
            raise WeightOutOfRange(f"weight {index} is not a signed integer of {weight_bits} bits")


def decode_signed(m: int | mpz, public_key: PublicKey) -> int:
    """A decrypted residue in [0, n), else `PlaintextOutOfRange`, as the signed integer of smallest magnitude."""
    if not 0 <= m < public_key.n:
        raise PlaintextOutOfRange("the decrypted number is not in [0, n)")
    return int(m) if 2 * m < public_key.n else int(m - public_key.n)


def check_score(score: int, lo: int, hi: int) -> None:
    """Raise `ScoreOutOfRange` when a decrypted score is impossible for its scorecard."""
    if not lo <= score <= hi:
        raise ScoreOutOfRange("the decrypted score is outside the scorecard's range")


def _by_column(columns: Sequence[Column], weights: Sequence[int]) -> Iterator[tuple[Column, Sequence[int]]]:
    total = sum(column.width for column in columns)
    if total != len(weights):
        raise WeightCount(f"{len(weights)} weights for columns of total width {total}")
    start = 0
    for column in columns:
        yield column, weights[start : start + column.width]
        start += column.width


def _extremes(column: Column, weights: Sequence[int]) -> tuple[int, int]:
    """Contribution of one column: numeric w·[0, hi - lo] or the indicator alone; binned one bin."""
    if isinstance(column, NumericColumn):
        weight, missing = weights
        ends = (0, weight * (column.hi - column.lo), missing)
        return min(ends), max(ends)
    return min(weights), max(weights)
