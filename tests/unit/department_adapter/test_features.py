"""Rows to positions: as the columns say, and of one shape whatever the row holds."""

from __future__ import annotations

from decimal import Decimal

from department_adapter import features
from department_adapter.mapping import MappedColumn
from paillier.columns import BinnedColumn, NumericColumn

COLUMNS = (
    MappedColumn(BinnedColumn("margin", 4, (-500, 0, 2500)), "c", "a", False),
    MappedColumn(NumericColumn("turnover", 2, 100, 10_000), "c", "b", False),
    MappedColumn(BinnedColumn("coarse", 0, (0,)), "c", "a", False),
)


def test_positions_in_the_order_of_the_columns() -> None:
    row = {"a": Decimal("0.1"), "b": Decimal("12.345")}
    assert features.positions(COLUMNS, row) == [0, 0, 1, 0, 0, 1134, 0, 0, 1, 0]


def test_missing_row_has_the_same_shape() -> None:
    known = features.positions(COLUMNS, {"a": Decimal(1), "b": Decimal(1)})
    missing = features.positions(COLUMNS, {"a": None, "b": None})
    assert missing == [0, 0, 0, 0, 1, 0, 1, 0, 0, 1]
    assert len(missing) == len(known) == sum(entry.column.width for entry in COLUMNS)
