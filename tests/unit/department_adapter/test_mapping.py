"""mapping.toml: what it may say, and an error that names the entry at fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.mapping import CsvFile, Mapping, SqlTable
from dev.department_data import mapping_toml
from paillier.columns import BinnedColumn, NumericColumn

SQL = '[source]\nkind = "sql"\nurl = "sqlite:///records.db"\ntable = "records"\nkey_column = "uscc"\n'
CSV = '[source]\nkind = "csv"\npath = "records.csv"\nkey_column = "uscc"\n'
BINNED = """
[[columns]]
name = "margin"
category = "tax.declarations"
source = "net_margin"
kind = "binned"
scale = 4
edges = [-500, 0, 2500]
"""
NUMERIC = """
[[columns]]
name = "turnover"
category = "tax.invoices"
source = "turnover"
kind = "numeric"
scale = 2
lo = 0
hi = 10000000
transform = "ln"
high_risk = true
"""


def loaded(tmp_path: Path, text: str) -> Mapping:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    return Mapping.load(path)


def refused(tmp_path: Path, text: str) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        loaded(tmp_path, text)
    assert caught.value.code == ErrorCode.CONFIG_INVALID
    return caught.value


def test_both_kinds_of_columns(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, SQL + BINNED + NUMERIC)
    margin, turnover = mapping.columns
    assert margin.column == BinnedColumn("margin", 4, (-500, 0, 2500))
    assert (margin.category, margin.source, margin.high_risk) == ("tax.declarations", "net_margin", False)
    assert turnover.column == NumericColumn("turnover", 2, 0, 10_000_000, log=True)
    assert turnover.high_risk
    assert mapping.source_columns() == ["net_margin", "turnover"]


def test_sql_source(tmp_path: Path) -> None:
    source = loaded(tmp_path, SQL + BINNED).source
    assert isinstance(source, SqlTable)
    assert source.url.database == str(tmp_path / "records.db")
    assert (source.table, source.key_column, source.schema) == ("records", "uscc", None)


def test_csv_source(tmp_path: Path) -> None:
    source = loaded(tmp_path, CSV + BINNED).source
    assert source == CsvFile(tmp_path / "records.csv", "uscc", ",")


def test_schema_and_password_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    text = SQL.replace("sqlite:///records.db", "postgresql+psycopg://reader@db/tax")
    source = loaded(tmp_path, text + 'schema = "public"\npassword_file = "password"\n' + BINNED).source
    assert isinstance(source, SqlTable)
    assert (source.url.password, source.schema) == ("s3cret", "public")
    assert "s3cret" not in str(source.url)


def test_the_demo_writes_mappings_that_load(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, mapping_toml("tax", {"Attr9": [1, 2], "Attr23": [3]}))
    assert [entry.column.name for entry in mapping.columns] == ["attr9", "attr23"]


def test_one_source_column_may_serve_two_columns(tmp_path: Path) -> None:
    second = BINNED.replace('name = "margin"', 'name = "coarse"').replace("[-500, 0, 2500]", "[0]")
    assert loaded(tmp_path, SQL + BINNED + second).source_columns() == ["net_margin"]


@pytest.mark.parametrize(
    ("old", "new", "entry"),
    [
        ('kind = "sql"', 'kind = "ldap"', "source"),
        ('table = "records"\n', "", "source.table"),
        ('key_column = "uscc"\n', "", "source.key_column"),
        ('table = "records"', 'table = "records"\ntabel = "x"', "source.tabel"),
        ('name = "margin"', 'name = "Net Margin"', "columns[0].name"),
        ('category = "tax.declarations"\n', "", "columns[0].category"),
        ('source = "net_margin"\n', "", "columns[0].source"),
        ('kind = "binned"', 'kind = "text"', "columns[0].kind"),
        ("scale = 4", "scale = 4.0", "columns[0].scale"),
        ("scale = 4", 'scale = "4"', "columns[0].scale"),
        ("scale = 4", "scale = 13", "columns[0]"),
        ("edges = [-500, 0, 2500]\n", "", "columns[0].edges"),
        ("edges = [-500, 0, 2500]", "edges = [0.5]", "columns[0].edges[0]"),
        ("edges = [-500, 0, 2500]", "edges = []", "columns[0]"),
        ("edges = [-500, 0, 2500]", "edges = [0, 0]", "columns[0]"),
        ("edges = [-500, 0, 2500]", "edges = [9007199254740992]", "columns[0]"),
        ("scale = 4", "scale = 4\nlo = 0", "columns[0].lo"),
        ("scale = 4", 'scale = 4\ntransform = "ln"', "columns[0].transform"),
        ("scale = 4", "scale = 4\nhigh_risk = 1", "columns[0].high_risk"),
        ("scale = 4", "scale = 4\nbins = 3", "columns[0].bins"),
        ("lo = 0\n", "", "columns[1].lo"),
        ("hi = 10000000", "hi = 0", "columns[1]"),
        ('transform = "ln"', 'transform = "log10"', "columns[1].transform"),
        ("hi = 10000000", "hi = 10000000\nedges = [1]", "columns[1].edges"),
        ('name = "turnover"', 'name = "margin"', "columns[1].name"),
        ("sqlite:///records.db", "records.db", "source.url"),
        ("sqlite:///records.db", "sqlite://", "source.url"),
        ("sqlite:///records.db", "sqlite:///", "source.url"),
        ("sqlite:///records.db", "postgresql://reader:hunter2@db/tax", "source.url"),
        ('table = "records"', 'table = "records"\npassword_file = "absent"', "source.password_file"),
    ],
)
def test_error_names_the_entry(tmp_path: Path, old: str, new: str, entry: str) -> None:
    good = SQL + BINNED + NUMERIC
    assert old in good
    error = refused(tmp_path, good.replace(old, new, 1))
    assert error.field == f"{tmp_path / 'mapping.toml'}: {entry}"
    assert "hunter2" not in f"{error} {error.hint} {error.private}"


@pytest.mark.parametrize("text", [SQL, CSV.replace('path = "records.csv"', "") + BINNED, BINNED, "x =", ""])
def test_incomplete_files(tmp_path: Path, text: str) -> None:
    assert str(tmp_path / "mapping.toml") in str(refused(tmp_path, text).field)


def test_hint_says_which_rule_is_broken(tmp_path: Path) -> None:
    error = refused(tmp_path, SQL + BINNED.replace("[-500, 0, 2500]", "[0, 0]"))
    assert "strictly increase" in error.hint
