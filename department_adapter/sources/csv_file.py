"""A CSV file as a source: for departments that export a file instead of opening a database.

The file is read whole into an index by company, only the mapped columns of it, and read again when it changes
(replaced by rename, as exports should be). While a changed file cannot be used the source says so, and does not answer
from the old one: a department must notice that its export broke. Left out: files larger than memory.
"""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import structlog

from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.mapping import CsvFile, Mapping
from department_adapter.sources.interface import Row, exact, missing_row

Stamp = tuple[int, int, int]
_log = structlog.get_logger("department_adapter.sources.csv_file")


@dataclass(frozen=True)
class _Index:
    """What was read: values in the order of the mapped columns; None for a company that occurs twice."""

    stamp: Stamp
    rows: dict[str, tuple[Decimal | None, ...] | None]


class CsvSource:
    """Rows of one file."""

    def __init__(self, mapping: Mapping, file: CsvFile) -> None:
        """Raises CONFIG_INVALID naming the entry when a column is absent, STORE_UNAVAILABLE when the file is."""
        self._mapping = mapping
        self._file = file
        self._names = mapping.source_columns()
        self._lock = threading.Lock()
        self._index = self._load()

    def read(self, company: str) -> Row:
        """As in the protocol. Two lines for one company are ambiguous and count as missing."""
        rows = self._current().rows
        values = rows.get(company)
        if values is None:
            if company in rows:
                _log.warning("a company has more than one row, its values count as missing")
            return missing_row(self._names)
        return dict(zip(self._names, values, strict=True))

    def check(self) -> None:
        """The file is there, and what it holds now can be used."""
        self._current()

    def count_repeated_keys(self) -> int:
        """As in the protocol."""
        return sum(values is None for values in self._current().rows.values())

    def close(self) -> None:
        """Nothing is held open."""

    def _current(self) -> _Index:
        with self._lock:
            if _stamp(self._file.path) != self._index.stamp:
                self._index = self._load()
            return self._index

    def _load(self) -> _Index:
        try:
            # The stamp first: a file replaced meanwhile is then read once more.
            stamp = _stamp(self._file.path)
            with self._file.path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
                return _Index(stamp, self._rows(csv.reader(lines, delimiter=self._file.delimiter)))
        except (OSError, csv.Error) as error:
            raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private=type(error).__name__) from None

    def _rows(self, lines: Iterator[list[str]]) -> dict[str, tuple[Decimal | None, ...] | None]:
        header = next(lines, [])
        key = self._position(header, self._file.key_column, "source.key_column")
        places = [self._position(header, name, self._entry(name)) for name in self._names]
        rows: dict[str, tuple[Decimal | None, ...] | None] = {}
        for cells in lines:
            if len(cells) <= key:
                continue
            values = tuple(exact(cells[place]) if place < len(cells) else None for place in places)
            rows[cells[key]] = None if cells[key] in rows else values
        return rows

    def _entry(self, name: str) -> str:
        index = next(index for index, entry in enumerate(self._mapping.columns) if entry.source == name)
        return f"columns[{index}].source"

    def _position(self, header: list[str], name: str, entry: str) -> int:
        if header.count(name) != 1:
            raise ConsentgateError(
                ErrorCode.CONFIG_INVALID,
                field=f"{self._mapping.path}: {entry}",
                hint="The file's header line must hold this name exactly once.",
            )
        return header.index(name)


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError as error:
        raise ConsentgateError(ErrorCode.STORE_UNAVAILABLE, private=type(error).__name__) from None
    return (status.st_mtime_ns, status.st_size, status.st_ino)
