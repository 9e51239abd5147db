"""CSV: safe in spreadsheets, and read back exactly."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentgate.errors import ConsentgateError, ErrorCode
from ledger_service.report.columns import COLUMNS, NAMES, POSITION, Cell, Form, Row
from ledger_service.report.csv_table import CsvTable, from_text, read_csv, to_text

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "|calc", "%0A=1", "＝1", "'=1", "=cmd|' /C calc'!A0"]


def row(**cells: Cell) -> Row:
    return tuple(cells.get(name) for name in NAMES)


def table(*rows: Row) -> str:
    file = io.StringIO(newline="")
    CsvTable(file).write(rows)
    return file.getvalue()


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_begins_like_a_formula(formula: str) -> None:
    """No leaf can hold such a text; the file would be safe if one could."""
    lines = list(csv.reader(io.StringIO(table(row(seq=1, institution=formula, rules=(formula,))), newline="")))
    cells = lines[1]
    assert cells[POSITION["institution"]] == f"'{formula}"
    assert all(not cell or cell[0] not in "=+-@\t\r\n|%" for line in lines for cell in line)
    assert from_text(to_text(formula), Form.TEXT) == formula


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40)
words = st.lists(texts.filter(lambda text: " " not in text), min_size=1, max_size=4).map(tuple)


@given(texts, words, st.integers(0, 2**53 - 1))
def test_what_is_written_is_read(text: str, members: tuple[str, ...], number: int) -> None:
    for cell, form in ((text, Form.TEXT), (members, Form.LIST), (number, Form.INTEGER), (None, Form.LIST)):
        assert from_text(to_text(cell), form) == cell


@pytest.mark.parametrize("text", ["01", "+1", "-1", "1.0", "1e3", " 1", "１", "x", "9007199254740992", "1" * 4301])
def test_integers_have_one_spelling(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - all that matters is that it is refused
        from_text(text, Form.INTEGER)


@pytest.mark.parametrize("text", ["=1", "'bank-a", "'", "a" * 65537])
def test_text_has_one_spelling(text: str) -> None:
    with pytest.raises(ValueError, match="guarded wrongly"):
        from_text(text, Form.TEXT)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "seq,time\n",
        ",".join(NAMES) + "\r\n1,2\r\n",
        ",".join(NAMES) + "\r\n" + "," * len(NAMES) + "\r\n",
        ",".join(NAMES) + "\r\n" + "x" + "," * (len(NAMES) - 1) + "\r\n",
        ",".join(NAMES) + '\r\n"' + "," * (len(NAMES) - 1) + "\r\n",
        ",".join(NAMES) + "\r\n1,2026-11-24" + "," * (len(NAMES) - 2) + "\r\n",
        ",".join(NAMES) + "\r\n1,2026-02-30T00:00:00.000000Z" + "," * (len(NAMES) - 2) + "\r\n",
    ],
)
def test_what_is_no_such_table(tmp_path: Path, content: str) -> None:
    (tmp_path / "entries.csv").write_text(content, newline="")
    with pytest.raises(ConsentgateError) as caught:
        list(read_csv(tmp_path / "entries.csv"))
    assert caught.value.code is ErrorCode.REPORT_INVALID
    assert str(caught.value.field).startswith("entries.csv line ")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "entries.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ConsentgateError) as caught:
        list(read_csv(tmp_path / "entries.csv"))
    assert caught.value.code is ErrorCode.REPORT_INVALID


def test_columns_are_named_once() -> None:
    assert len(set(NAMES)) == len(COLUMNS)
