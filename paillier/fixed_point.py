"""Exact conversion of whatever a database returns into fixed-point integers, without ever failing.

Spec: design 2 "Encoding". A value v becomes round(v·10^scale), ties to even, computed exactly in decimal; a
float counts as the shortest decimal text that names it (its repr), so 0.1 is one tenth. The natural logarithm
is the correctly rounded one at 60 digits, so every machine gets the same integer. What is not a finite number
gives None ("missing"): an error that depends on data would tell an observer something about the company.

Left out: locale formats and thousands separators (they count as missing); negative numbers under a logarithm
(missing). Thread-safety: pure functions; no shared decimal context is touched.
"""

import re
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from numbers import Integral, Real

SATURATION = 10**40
"""Fixed-point magnitudes are cut here; far above every bound or edge that a column may have (2^53)."""

MAX_NUMBER_TEXT = 128
"""characters; longer text is not a number that a department keeps, and costs time to parse."""

LOGARITHM_DIGITS = 60
"""significant digits of a logarithm before it is rounded to its scale."""

_SATURATION_EXPONENT = 40
_SATURATION_BITS = 256
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")


def to_fixed(value: object, scale: int, *, log: bool) -> int | None:
    """round(value·10^scale), or of ln(value) when `log`; None when value is not a finite number."""
    number = _to_number(value)
    if number is None:
        return None
    if not log:
        return _scale_integer(number, scale) if isinstance(number, int) else _scale_decimal(number, scale)
    decimal = Decimal(number)
    if decimal < 0:
        return None
    if not decimal:
        return -SATURATION  # ln 0 is minus infinity: below every bound, clamped by the column.
    context = Context(prec=LOGARITHM_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
    return _scale_decimal(decimal.ln(context), scale)


def _to_number(value: object) -> int | Decimal | None:
    """Integers stay integers, everything else finite becomes a Decimal."""
    if isinstance(value, Integral):  # bool and numpy integers included
        return int(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, str):
        text = value.strip()
        if len(text) > MAX_NUMBER_TEXT or not _NUMBER.fullmatch(text):
            return None
        return Decimal(text)
    if isinstance(value, Real):
        # float.__repr__ and not repr(): numpy's float64 is a float whose repr is not a number.
        decimal = Decimal(float.__repr__(float(value)))
        return decimal if decimal.is_finite() else None
    return None


def _scale_integer(value: int, scale: int) -> int:
    if value.bit_length() > _SATURATION_BITS:
        return SATURATION if value > 0 else -SATURATION
    return _saturate(value * 10**scale)


def _scale_decimal(value: Decimal, scale: int) -> int:
    """Exact scaling at unlimited precision; the exponent is looked at first, so 1E+999999 costs nothing."""
    if not value:
        return 0
    if value.adjusted() + scale > _SATURATION_EXPONENT:
        return -SATURATION if value.is_signed() else SATURATION
    exact = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, rounding=ROUND_HALF_EVEN, traps=[])
    return _saturate(int(value.scaleb(scale, exact).to_integral_value(ROUND_HALF_EVEN, exact)))


def _saturate(value: int) -> int:
    return max(-SATURATION, min(SATURATION, value))
