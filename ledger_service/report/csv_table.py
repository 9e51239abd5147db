"""The rows as CSV (RFC 4180, UTF-8): for spreadsheets, and therefore safe in them.

Spreadsheets take a cell that begins with one of a few characters for a formula (OWASP, "CSV injection"). No field of a
leaf can begin so, by the forms of `ledger.kinds`; but the file must be safe also for whoever does not know that, so
such a cell gets an apostrophe in front, and loses it when it is read here. Times are the leaf's own text; members of a
list are separated by blanks, which no identifier holds; None is an empty cell.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from consentgate.errors import ConsentgateError, ErrorCode
from ledger.errors import EntryInvalid
from ledger.kinds import MAX_INTEGER, timestamp
from ledger_service.report.columns import COLUMNS, NAMES, Cell, Form, Row

CSV_FILE = "entries.csv"
GUARD = "'"
DANGEROUS = frozenset("=+-@\t\r\n|%＝＋－＠" + GUARD)
"""First characters that spreadsheets act upon, also in full width, and the guard itself: then reading is exact."""
MAX_CELL = 64 * 1024
"""Characters: no cell is longer than a leaf."""

MAX_DIGITS = len(str(MAX_INTEGER))


class CsvTable:
    """Writes the table, rows as they come."""

    def __init__(self, file: TextIO) -> None:
        """`file` is open for writing with `newline=""`."""
        self._writer = csv.writer(file)
        self._writer.writerow(NAMES)

    def write(self, rows: Iterable[Row]) -> None:
        """Appends rows."""
        self._writer.writerows([to_text(cell) for cell in row] for row in rows)


def read_csv(path: Path) -> Iterator[Row]:
    """The rows of a table; raises REPORT_INVALID that names the line which is not one."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            if tuple(next(reader, ())) != NAMES:
                raise ValueError("header")
            for cells in reader:
                yield tuple(from_text(cell, column.form) for cell, column in zip(cells, COLUMNS, strict=True))
        except (csv.Error, ValueError, EntryInvalid) as error:
            where = f"{CSV_FILE} line {reader.line_num}"
            raise ConsentgateError(ErrorCode.REPORT_INVALID, field=where) from error


def to_text(cell: Cell) -> str:
    """A cell as it stands in the file."""
    if cell is None:
        return ""
    if isinstance(cell, int):
        return str(cell)
    text = cell if isinstance(cell, str) else " ".join(cell)
    return GUARD + text if text[:1] in DANGEROUS else text


def from_text(text: str, form: Form) -> Cell:
    """The cell that a text stands for; raises ValueError or EntryInvalid."""
    if not text:
        return None
    if form is Form.INTEGER:
        return _integer(text)
    if form is Form.TIME:
        timestamp.check(text, "time")
    plain = text.removeprefix(GUARD)
    if len(text) > MAX_CELL or (plain == text) == (plain[:1] in DANGEROUS):
        raise ValueError("a cell is too long, or guarded wrongly")
    return tuple(plain.split(" ")) if form is Form.LIST else plain


def _integer(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else -1
    if str(number) != text or not 0 <= number <= MAX_INTEGER:
        raise ValueError("not an integer as this table writes it")
    return number
