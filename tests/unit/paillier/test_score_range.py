"""The exact range of a score, the slot it must fit, and the checks around a decrypted one."""

from itertools import product

import pytest

from paillier import errors
from paillier.columns import MAX_FIXED, BinnedColumn, Column, NumericColumn
from paillier.public_key import PublicKey
from paillier.score_range import (
    MAX_SLOT_BITS,
    check_score,
    decode_signed,
    score_range,
    shifted_bias,
)

SMALL = NumericColumn("small", 0, -2, 3)
BINS = BinnedColumn("bins", 0, (0, 10))
WIDE = NumericColumn("wide", 0, 0, MAX_FIXED)
COLUMNS: list[Column] = [SMALL, BINS]


def every_score(weights: list[int], bias: int) -> list[int]:
    inputs = product([None, *range(-4, 6)], [None, -1, 0, 10])
    encodings = [SMALL.encode(a) + BINS.encode(b) for a, b in inputs]
    return [bias + sum(w * x for w, x in zip(weights, row, strict=True)) for row in encodings]


@pytest.mark.parametrize(
    "weights",
    [
        [1, 0, 0, 0, 0, 0],
        [3, 7, 1, 2, 3, 4],
        [-3, 7, -1, -2, -3, -4],
        [-3, -70, 5, 5, 5, 5],
        [32767, -32768, 32767, -32768, 0, 1],
        [0, 0, 0, 0, 0, 0],
    ],
    ids=str,
)
@pytest.mark.parametrize("bias", [0, -100, 1 << 40])
def test_the_range_is_exact(weights: list[int], bias: int) -> None:
    scores = every_score(weights, bias)
    assert score_range(COLUMNS, weights, bias) == (min(scores), max(scores))


def test_no_columns() -> None:
    assert score_range([], [], 5) == (5, 5)


def test_shifted_bias_moves_lo_into_the_intercept() -> None:
    weights = [7, 1, 1, 2, 3, 4]
    assert shifted_bias(COLUMNS, weights, 100) == 100 - 14
    row = SMALL.encode(3) + BINS.encode(5)
    score = shifted_bias(COLUMNS, weights, 100) + sum(w * x for w, x in zip(weights, row, strict=True))
    assert score == 100 + 7 * 3 + 2


def test_an_overflowing_range_is_refused() -> None:
    with pytest.raises(errors.ScoreRangeOverflow):
        score_range([WIDE], [32767, 0], 0)
    assert score_range([WIDE], [32767, 0], 0, slot_bits=80) == (0, 32767 * MAX_FIXED)


def test_the_slot_is_used_to_its_last_bit() -> None:
    column = NumericColumn("x", 0, 0, 7)
    assert score_range([column], [1, 0], 0, slot_bits=3) == (0, 7)
    assert score_range([column], [-1, 0], 0, slot_bits=3) == (-7, 0)
    for bias in (1, -9):
        with pytest.raises(errors.ScoreRangeOverflow):
            score_range([column], [1, 0], bias, slot_bits=3)
    with pytest.raises(errors.ScoreRangeOverflow):
        score_range([NumericColumn("x", 0, 0, 8)], [1, 0], -4, slot_bits=3)


@pytest.mark.parametrize("slot_bits", [0, MAX_SLOT_BITS + 1])
def test_slot_sizes_are_checked(slot_bits: int) -> None:
    with pytest.raises(errors.ParameterOutOfRange):
        score_range([], [], 0, slot_bits=slot_bits)


@pytest.mark.parametrize("weight", [32768, -32769, True, 1.5], ids=repr)
def test_weights_have_sixteen_bits_by_default(weight: int) -> None:
    with pytest.raises(errors.WeightOutOfRange, match="weight 1 "):
        score_range([SMALL], [0, weight], 0)


def test_weights_may_be_declared_wider_up_to_32_bits() -> None:
    assert score_range([SMALL], [-(1 << 31), 0], 0, weight_bits=32) == (-5 << 31, 0)
    for bits in (0, 33):
        with pytest.raises(errors.ParameterOutOfRange):
            score_range([SMALL], [0, 0], 0, weight_bits=bits)


def test_one_weight_per_ciphertext() -> None:
    for count in (0, 5, 7):
        with pytest.raises(errors.WeightCount):
            score_range(COLUMNS, [1] * count, 0)
        with pytest.raises(errors.WeightCount):
            shifted_bias(COLUMNS, [1] * count, 0)


def test_signed_decoding(public: PublicKey) -> None:
    n = int(public.n)
    assert [decode_signed(m, public) for m in (0, 1, n - 1, n // 2, n // 2 + 1)] == [
        0,
        1,
        -1,
        n // 2,
        n // 2 + 1 - n,
    ]
    for m in (-1, n):
        with pytest.raises(errors.PlaintextOutOfRange):
            decode_signed(m, public)


def test_an_impossible_score_is_refused_without_quoting_it() -> None:
    assert check_score(-5, -5, 5) is None
    assert check_score(5, -5, 5) is None
    for score in (-4242, 4242):
        with pytest.raises(errors.ScoreOutOfRange) as caught:
            check_score(score, -5, 5)
        assert "4242" not in str(caught.value)
