"""Conversion of whatever a database returns: exact, ties to even, and never an error."""

import math
from decimal import ROUND_UP, Context, Decimal, Inexact, Rounded, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from paillier.fixed_point import MAX_NUMBER_TEXT, SATURATION, to_fixed

EXACT: list[tuple[Any, int, int]] = [
    (0, 0, 0),
    (-7, 2, -700),
    (True, 1, 10),
    (0.1, 1, 1),
    (0.1, 20, 10**19),  # a float is its shortest decimal text, not its binary value
    (1e22, 0, 10**22),
    (-0.0, 3, 0),
    ("12.345", 2, 1234),
    ("12.355", 2, 1236),
    (" +.5 ", 0, 0),
    ("1.5", 0, 2),
    ("2.5", 0, 2),
    ("-2.5", 0, -2),
    ("-3.5", 0, -4),
    ("2.500000000000000000000000000000000000000000000000001", 0, 3),
    ("1.e3", 0, 1000),
    ("1E-400", 12, 0),
    (Decimal("0.125"), 2, 12),
    (Decimal("0.375"), 2, 38),
    (Decimal("1E+3"), 1, 10_000),
    (Decimal("0E+999999"), 3, 0),
    (np.float64(1.25), 2, 125),
    (np.float32(0.5), 1, 5),
    (np.int64(-3), 1, -30),
    (Fraction(1, 4), 2, 25),
]


@pytest.mark.parametrize(("value", "scale", "expected"), EXACT, ids=[repr(case[0]) for case in EXACT])
def test_exact_values(value: Any, scale: int, expected: int) -> None:
    assert to_fixed(value, scale, log=False) == expected


MISSING = {
    "none": None,
    "nan": math.nan,
    "infinity": math.inf,
    "minus_infinity": -math.inf,
    "decimal_nan": Decimal("NaN"),
    "signalling_nan": Decimal("sNaN"),
    "decimal_infinity": Decimal("-Infinity"),
    "empty": "",
    "words": "unknown",
    "nan_text": "nan",
    "underscore": "1_000",
    "thousands_separator": "1,000",
    "full_width_digits": "１２",
    "hex": "0x10",
    "two_numbers": "1 2",
    "lone_sign": "-",
    "lone_dot": ".",
    "long_text": "1" * (MAX_NUMBER_TEXT + 1),
    "bytes": b"12",
    "a_list": [1],
    "an_object": object(),
}


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("log", [False, True])
def test_what_is_not_a_finite_number_is_missing(name: str, log: bool) -> None:
    assert to_fixed(MISSING[name], 2, log=log) is None


@pytest.mark.parametrize("value", [10**500, "9e999999999", Decimal("1E+999999"), 1.7e308])
def test_huge_values_saturate_without_being_expanded(value: Any) -> None:
    assert to_fixed(value, 12, log=False) == SATURATION
    negative = "-" + value if isinstance(value, str) else -value
    assert to_fixed(negative, 12, log=False) == -SATURATION


def test_logarithms_are_the_rounded_natural_ones() -> None:
    assert to_fixed(1, 6, log=True) == 0
    assert to_fixed(math.e, 6, log=True) == 1_000_000
    assert to_fixed("10", 12, log=True) == 2_302_585_092_994
    assert to_fixed(0.5, 4, log=True) == -6931
    assert to_fixed(10**500, 3, log=True) == 1_151_293
    assert to_fixed("1e-400", 3, log=True) == -921_034


def test_the_callers_decimal_context_changes_nothing() -> None:
    """Precision, limits, rounding and traps of a thread's own context, as a database driver may have set them."""
    cases = [("12.355", 2, False), ("1e30", 9, False), ("-2.5", 0, False), ("10", 12, True), ("1e-400", 3, True)]
    expected = [to_fixed(value, scale, log=log) for value, scale, log in cases]
    with localcontext(Context(prec=2, Emax=5, Emin=-5, rounding=ROUND_UP, traps=[Inexact, Rounded])) as context:
        assert [to_fixed(value, scale, log=log) for value, scale, log in cases] == expected
        assert not context.flags[Inexact]


def test_the_logarithm_of_zero_lies_below_every_bound_and_of_a_negative_is_missing() -> None:
    for zero in (0, "0", 0.0, -0.0, Decimal("0E+99")):
        assert to_fixed(zero, 3, log=True) == -SATURATION
    for negative in (-1, "-0.5", -1e-300):
        assert to_fixed(negative, 3, log=True) is None
