"""The same rows as Parquet: typed columns for whoever computes with them.

Integers are int64, times timestamps in UTC with microseconds, lists lists of text. pyarrow is an extra (`report`), so
it is looked for here, once, when the module is loaded. One row group of ROWS_PER_GROUP rows is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from consentgate.errors import ConsentgateError, ErrorCode
from ledger_service.report.columns import COLUMNS, Form, Row

HAS_PYARROW = find_spec("pyarrow") is not None

if TYPE_CHECKING or HAS_PYARROW:
    import pyarrow as pa
    import pyarrow.parquet as pq

PARQUET_FILE = "entries.parquet"
ROWS_PER_GROUP = 16_384
"""Rows in memory at a time: some 10 MB."""


def require_pyarrow() -> None:
    """Raises CONFIG_INVALID while the extra is not installed."""
    if not HAS_PYARROW:
        raise ConsentgateError(
            ErrorCode.CONFIG_INVALID,
            field="pyarrow is not installed",
            hint="Install it: pip install 'consentgate[report]'",
        )


class ParquetTable:
    """Writes the table; each call of `write` is one row group. Use as a context."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, _schema(), compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def write(self, rows: Sequence[Row]) -> None:
        """Appends rows, at most ROWS_PER_GROUP."""
        self._writer.write_table(_table(rows), row_group_size=ROWS_PER_GROUP)


class ParquetRows:
    """A table that is read group by group, to be compared with rows. Use as a context."""

    def __init__(self, path: Path) -> None:
        """Raises REPORT_INVALID for a file that is not such a table."""
        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowException as error:
            raise _differs("cannot be read") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def check_equal(self, groups: Iterator[Sequence[Row]]) -> Iterator[Sequence[Row]]:
        """Passes the groups on; raises REPORT_INVALID at the first that is not this table's, or when one has more."""
        if not self._file.schema_arrow.equals(_schema()):
            raise _differs("has other columns")
        number = 0
        for rows in groups:
            if number >= self._file.num_row_groups:
                raise _differs("ends early")
            if self._file.metadata.row_group(number).num_rows != len(rows) or not self._group(number).equals(
                _table(rows)
            ):
                raise _differs(f"row group {number}")
            number += 1
            yield rows
        if number != self._file.num_row_groups:
            raise _differs("has more rows")

    def _group(self, number: int) -> Any:
        try:
            return self._file.read_row_group(number)
        except pa.ArrowException as error:
            raise _differs(f"row group {number}") from error


def _schema() -> Any:
    types = {
        Form.INTEGER: pa.int64(),
        Form.TEXT: pa.string(),
        Form.TIME: pa.timestamp("us", tz="UTC"),
        Form.LIST: pa.list_(pa.string()),
    }
    return pa.schema([pa.field(column.name, types[column.form]) for column in COLUMNS])


def _table(rows: Sequence[Row]) -> Any:
    schema = _schema()
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    arrays = [
        _array(cells, column.form, field.type) for cells, column, field in zip(columns, COLUMNS, schema, strict=True)
    ]
    return pa.table(arrays, schema=schema)


def _array(cells: Sequence[object], form: Form, wanted: Any) -> Any:
    """Times are converted from the leaf's own text, column by column, which is what is fast."""
    return pa.array(cells, pa.string()).cast(wanted) if form is Form.TIME else pa.array(cells, wanted)


def _differs(how: str) -> ConsentgateError:
    return ConsentgateError(ErrorCode.REPORT_INVALID, field=f"{PARQUET_FILE}: {how}")
