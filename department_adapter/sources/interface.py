"""What every source of rows promises, and the exact form of a value.

A *row* maps the names of the mapped source columns to exact decimals; None is "missing". A source

* answers an unknown company with a row of None for every column: nobody can tell it from a row of nulls;
* raises STORE_UNAVAILABLE when it cannot be read at all, and never anything that depends on a company's data;
* only reads, one parameterised query or look-up per company, and only the mapped columns;
* may be used from any number of threads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Protocol

MAX_NUMBER_TEXT = 128
"""characters; longer text is not a number that a department keeps (as in paillier.fixed_point)."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")

Row = Mapping[str, Decimal | None]


class Source(Protocol):
    """A department's rows, by company code."""

    def read(self, company: str) -> Row:
        """The company's row; for an unknown company every value is None."""
        ...

    def check(self) -> None:
        """Reads something from the mapped table, whatever it is; raises STORE_UNAVAILABLE or CONFIG_INVALID."""
        ...

    def count_repeated_keys(self) -> int:
        """How many companies have more than one row (their values count as missing); may be slow."""
        ...

    def close(self) -> None:
        """Gives back connections."""
        ...


def exact(value: object) -> Decimal | None:
    """The number a database returned, exactly; None for null and for whatever is no finite number.

    Text is read as decimal digits; a binary float counts as the shortest decimal that names it (docs/wire.md, "Fixed
    point"), so a REAL column that was filled with 0.1 holds one tenth.
    """
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, Integral):
        return Decimal(int(value))
    if isinstance(value, Real):
        decimal = Decimal(float.__repr__(float(value)))
        return decimal if decimal.is_finite() else None
    return _parsed(value) if isinstance(value, str) else None


def missing_row(names: Sequence[str]) -> Row:
    """The row of a company that is unknown here."""
    return dict.fromkeys(names)


def _parsed(text: str) -> Decimal | None:
    text = text.strip()
    if len(text) > MAX_NUMBER_TEXT or not _NUMBER.fullmatch(text):
        return None
    return Decimal(text)
