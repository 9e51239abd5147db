"""`exact`: the number a database gave, no binary digit added or lost; the same integers as paillier's own reading."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from department_adapter.sources.interface import exact
from paillier.fixed_point import to_fixed

NUMBERS = (
    st.integers()
    | st.floats()
    | st.decimals()
    | st.decimals(allow_nan=False, allow_infinity=False).map(str)
    | st.from_regex(r"[+-]?[0-9]{0,30}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
    | st.text(max_size=20)
    | st.booleans()
    | st.none()
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.1", Decimal("0.1")),
        (0.1, Decimal("0.1")),
        (Decimal("12345678901234567890.123456789"), Decimal("12345678901234567890.123456789")),
        ("12345678901234567890.123456789", Decimal("12345678901234567890.123456789")),
        (10**30, Decimal(10**30)),
        (" -7 ", Decimal(-7)),
        (True, Decimal(1)),
        (None, None),
        ("", None),
        ("n/a", None),
        ("1,5", None),
        ("0x10", None),
        ("NaN", None),
        ("Infinity", None),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (float("inf"), None),
        (b"1", None),
        (date(2026, 1, 1), None),
        ("1" * 129, None),
        ("1e999999999", Decimal("1e999999999")),
        ("1e1000000000", None),
    ],
)
def test_values(value: object, expected: Decimal | None) -> None:
    found = exact(value)
    assert found == expected
    assert found is None or isinstance(found, Decimal)


@given(value=NUMBERS, scale=st.integers(0, 12), log=st.booleans())
def test_same_integer_as_paillier_reads(value: object, scale: int, log: bool) -> None:
    assert to_fixed(exact(value), scale, log=log) == to_fixed(value, scale, log=log)
