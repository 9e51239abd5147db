"""A row becomes positions, positions become ciphertexts (design 2, "Encoding"; docs/wire.md, section 6).

Every column gives exactly `width` positions whatever the row holds, so the answer about an unknown company has the
shape of any other, and decrypts to `missing`.
"""

from __future__ import annotations

from collections.abc import Sequence

from department_adapter.mapping import MappedColumn
from department_adapter.sources.interface import Row


def positions(columns: Sequence[MappedColumn], row: Row) -> list[int]:
    """Small non-negative integers, column by column; never raises on data."""
    return [position for entry in columns for position in entry.column.encode(row[entry.source])]
