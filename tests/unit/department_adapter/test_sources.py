"""One contract over both sources, and what is particular to each."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.mapping import Mapping
from department_adapter.sources.csv_file import CsvSource
from department_adapter.sources.interface import Source
from department_adapter.sources.opening import open_source
from department_adapter.sources.sql import SqlSource

KNOWN = "91350100M000100Y43"
TWICE = "91350100M000200Y43"
UNKNOWN = "91350100M000300Y43"
COLUMNS = ("margin", "turnover")
Line = tuple[str, str | None, str | None]
LINES: tuple[Line, ...] = (
    (KNOWN, "0.1", "12345678901234567890.12"),
    (TWICE, "1", "1"),
    (TWICE, "2", "2"),
    ("91350100M000400Y43", None, "n/a"),
)


def mapping(folder: Path, source: str, columns: Sequence[str] = COLUMNS) -> Mapping:
    path = folder / "mapping.toml"
    entries = [
        f'[[columns]]\nname = "{name}"\ncategory = "tax.declarations"\nsource = "{name}"\nkind = "binned"\n'
        "scale = 2\nedges = [0]\n"
        for name in columns
    ]
    path.write_text(f'[source]\nkey_column = "uscc"\n{source}\n' + "".join(entries))
    return Mapping.load(path)


def sql_mapping(folder: Path, columns: Sequence[str] = COLUMNS) -> Mapping:
    return mapping(folder, 'kind = "sql"\nurl = "sqlite:///records.db"\ntable = "records"', columns)


def csv_mapping(folder: Path) -> Mapping:
    return mapping(folder, 'kind = "csv"\npath = "records.csv"')


def execute(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / "records.db")
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def sql_source(folder: Path, lines: Sequence[Line] = LINES) -> Source:
    execute(folder, "CREATE TABLE records (uscc TEXT, secret TEXT, margin TEXT, turnover TEXT)")
    connection = sqlite3.connect(folder / "records.db")
    with connection:
        connection.executemany("INSERT INTO records VALUES (?, 'hush', ?, ?)", lines)
    connection.close()
    return open_source(sql_mapping(folder))


def csv_text(lines: Sequence[Line]) -> str:
    rows = ["secret,turnover,uscc,margin"]
    rows += [f"hush,{turnover or ''},{code},{margin or ''}" for code, margin, turnover in lines]
    return "\n".join(rows) + "\n"


def csv_source(folder: Path, lines: Sequence[Line] = LINES) -> Source:
    (folder / "records.csv").write_text(csv_text(lines))
    return open_source(csv_mapping(folder))


Make = Callable[..., Source]
both = pytest.mark.parametrize("make", [sql_source, csv_source], ids=["sql", "csv"])


@both
def test_values_are_exact(make: Make, tmp_path: Path) -> None:
    row = make(tmp_path).read(KNOWN)
    assert row == {"margin": Decimal("0.1"), "turnover": Decimal("12345678901234567890.12")}


@both
def test_unknown_company_is_a_row_of_nulls(make: Make, tmp_path: Path) -> None:
    source = make(tmp_path)
    assert source.read(UNKNOWN) == {"margin": None, "turnover": None}
    assert source.read(UNKNOWN) == source.read("91350100M000400Y43")


@both
def test_two_rows_are_ambiguous_and_count_as_missing(make: Make, tmp_path: Path) -> None:
    source = make(tmp_path)
    assert source.read(TWICE) == {"margin": None, "turnover": None}
    assert source.count_repeated_keys() == 1


@both
def test_code_is_a_parameter_and_never_part_of_a_query(make: Make, tmp_path: Path) -> None:
    source = make(tmp_path)
    for attack in ("' OR '1'='1", f"{KNOWN}' --", "%", "_", ""):
        assert set(source.read(attack).values()) == {None}
    source.check()


@both
def test_no_column_is_read_that_the_mapping_does_not_name(make: Make, tmp_path: Path) -> None:
    assert set(make(tmp_path).read(KNOWN)) == set(COLUMNS)


@both
def test_check_passes_on_an_empty_table(make: Make, tmp_path: Path) -> None:
    source = make(tmp_path, ())
    source.check()
    assert source.read(KNOWN) == {"margin": None, "turnover": None}


@both
def test_many_threads_read_at_once(make: Make, tmp_path: Path) -> None:
    source, found = make(tmp_path), []
    threads = [threading.Thread(target=lambda: found.append(source.read(KNOWN))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row["margin"] for row in found] == [Decimal("0.1")] * 8


@both
def test_records_that_vanish_are_unavailable(make: Make, tmp_path: Path) -> None:
    source = make(tmp_path)
    source.read(KNOWN)
    for name in ("records.db", "records.csv"):
        (tmp_path / name).unlink(missing_ok=True)
    for use in (source.check, lambda: source.read(KNOWN)):
        with pytest.raises(ConsentgateError) as caught:
            use()
        assert caught.value.code == ErrorCode.STORE_UNAVAILABLE
        assert KNOWN not in f"{caught.value.private} {caught.value}"


@both
def test_absent_column_names_the_entry(make: Make, tmp_path: Path) -> None:
    make(tmp_path)
    for name, entry in (("uscc", "source.key_column"), ("turnover", "columns[1].source")):
        good = (tmp_path / "mapping.toml").read_text()
        last = good.rindex(f'"{name}"') if name != "uscc" else good.index(f'"{name}"')
        (tmp_path / "mapping.toml").write_text(f'{good[:last]}"nothere"{good[last + len(name) + 2 :]}')
        with pytest.raises(ConsentgateError) as caught:
            open_source(Mapping.load(tmp_path / "mapping.toml"))
        assert caught.value.field == f"{tmp_path / 'mapping.toml'}: {entry}"
        (tmp_path / "mapping.toml").write_text(good)


# SQL.


@pytest.mark.parametrize(
    ("declared", "stored", "expected"),
    [
        ("REAL", "0.1", "0.1"),
        ("REAL", "0.30000000000000004", "0.30000000000000004"),
        ("INTEGER", "9007199254740993", "9007199254740993"),
        ("TEXT", "'12345678901234567890.123456789'", "12345678901234567890.123456789"),
        ("NUMERIC(30, 12)", "0.123456789012", "0.123456789012"),
        ("DECIMAL", "2.5", "2.5"),
        ("", "'7'", "7"),
    ],
)
def test_sql_types(tmp_path: Path, declared: str, stored: str, expected: str) -> None:
    """SQLAlchemy would round NUMERIC of SQLite to ten binary digits; the adapter takes what the driver gives."""
    execute(
        tmp_path,
        f"CREATE TABLE records (uscc TEXT PRIMARY KEY, margin {declared}, turnover TEXT)",
        f"INSERT INTO records VALUES ('{KNOWN}', {stored}, NULL)",  # noqa: S608 - constants of this test
    )
    assert SqlSource(found := sql_mapping(tmp_path), found.source).read(KNOWN)["margin"] == Decimal(expected)  # type: ignore[arg-type]


def test_sql_value_that_is_no_text_is_missing_and_no_error(tmp_path: Path) -> None:
    """An error would depend on the company's data."""
    execute(
        tmp_path,
        "CREATE TABLE records (uscc TEXT PRIMARY KEY, margin NUMERIC, turnover DATE)",
        f"INSERT INTO records VALUES ('{KNOWN}', CAST(x'ff' AS TEXT), 'not a date')",  # noqa: S608
    )
    source = open_source(sql_mapping(tmp_path))
    source.check()
    assert source.read(KNOWN) == {"margin": None, "turnover": None}


def test_sql_source_cannot_write(tmp_path: Path) -> None:
    source = sql_source(tmp_path)
    assert isinstance(source, SqlSource)
    with pytest.raises(OperationalError), source.engine.connect() as connection:
        connection.execute(text("DELETE FROM records"))
    source.check()


def test_sql_reads_a_view(tmp_path: Path) -> None:
    execute(
        tmp_path,
        "CREATE TABLE facts (code TEXT, a INTEGER, b INTEGER)",
        f"INSERT INTO facts VALUES ('{KNOWN}', 7, 2)",  # noqa: S608
        "CREATE VIEW records AS SELECT code AS uscc, a - b AS margin, a AS turnover FROM facts",
    )
    assert open_source(sql_mapping(tmp_path)).read(KNOWN) == {"margin": Decimal(5), "turnover": Decimal(7)}


def test_sql_names_that_need_quoting(tmp_path: Path) -> None:
    execute(
        tmp_path,
        'CREATE TABLE records (uscc TEXT, "select" INTEGER, "Ümlaut ""x""" INTEGER)',
        f"INSERT INTO records VALUES ('{KNOWN}', 1, 2)",  # noqa: S608
    )
    path = tmp_path / "mapping.toml"
    path.write_text(
        '[source]\nkind = "sql"\nurl = "sqlite:///records.db"\ntable = "records"\nkey_column = "uscc"\n'
        '[[columns]]\nname = "a"\ncategory = "c"\nsource = "select"\nkind = "binned"\nscale = 0\nedges = [1]\n'
        '[[columns]]\nname = "b"\ncategory = "c"\nsource = \'Ümlaut "x"\'\nkind = "binned"\nscale = 0\nedges = [1]\n'
    )
    assert list(open_source(Mapping.load(path)).read(KNOWN).values()) == [Decimal(1), Decimal(2)]


def test_sql_file_that_is_replaced_is_read_anew(tmp_path: Path) -> None:
    source = sql_source(tmp_path)
    source.read(KNOWN)
    (tmp_path / "fresh").mkdir()
    sql_source(tmp_path / "fresh", [(KNOWN, "0.2", None)])
    (tmp_path / "fresh" / "records.db").replace(tmp_path / "records.db")
    assert source.read(KNOWN) == {"margin": Decimal("0.2"), "turnover": None}


def test_sql_table_absent_names_the_entry(tmp_path: Path) -> None:
    execute(tmp_path, "CREATE TABLE other (uscc TEXT)")
    with pytest.raises(ConsentgateError) as caught:
        open_source(sql_mapping(tmp_path))
    assert caught.value.field == f"{tmp_path / 'mapping.toml'}: source.table"


def test_sql_database_absent_is_unavailable_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(ConsentgateError) as caught:
        open_source(sql_mapping(tmp_path))
    assert caught.value.code == ErrorCode.STORE_UNAVAILABLE
    assert not (tmp_path / "records.db").exists()


def test_sql_driver_absent_names_the_entry(tmp_path: Path) -> None:
    found = mapping(tmp_path, 'kind = "sql"\nurl = "oracle://reader@db/tax"\ntable = "records"')
    with pytest.raises(ConsentgateError) as caught:
        open_source(found)
    assert (caught.value.code, caught.value.field) == (ErrorCode.CONFIG_INVALID, f"{found.path}: source.url")
    assert "driver" in caught.value.hint


# CSV.


def test_csv_is_read_again_when_it_is_replaced(tmp_path: Path) -> None:
    source = csv_source(tmp_path)
    fresh = tmp_path / "fresh.csv"
    fresh.write_text(csv_text([(KNOWN, "0.2", None)]))
    fresh.replace(tmp_path / "records.csv")
    assert source.read(KNOWN) == {"margin": Decimal("0.2"), "turnover": None}
    assert source.read(TWICE) == {"margin": None, "turnover": None}


def test_csv_that_broke_is_noticed_and_not_answered_from_memory(tmp_path: Path) -> None:
    source = csv_source(tmp_path)
    (tmp_path / "records.csv").write_text("uscc,margin\n")
    for use in (source.check, lambda: source.read(KNOWN)):
        with pytest.raises(ConsentgateError, match="CONFIG_INVALID"):
            use()


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfuscc,margin,turnover\r\n91350100M000100Y43,0.5,1\r\n",
        b'turnover,uscc,margin,x\n1,"91350100M000100Y43","0.5"\n',
        b"uscc,margin,turnover\n\n91350100M000100Y43,0.5,\xff\n",
        b"uscc,turnover,margin\nshort\n91350100M000100Y43,1,0.5,extra\n",
    ],
    ids=["byte order mark and CRLF", "quoted, short line", "not UTF-8", "ragged lines"],
)
def test_csv_forms(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "records.csv").write_bytes(content)
    assert CsvSource(found := csv_mapping(tmp_path), found.source).read(KNOWN)["margin"] == Decimal("0.5")  # type: ignore[arg-type]


def test_csv_delimiter(tmp_path: Path) -> None:
    (tmp_path / "records.csv").write_text(f"uscc;margin;turnover\n{KNOWN};1.5;2\n")
    found = mapping(tmp_path, 'kind = "csv"\npath = "records.csv"\ndelimiter = ";"')
    assert open_source(found).read(KNOWN)["margin"] == Decimal("1.5")


def test_csv_header_name_twice_names_the_entry(tmp_path: Path) -> None:
    (tmp_path / "records.csv").write_text("uscc,margin,margin,turnover\n")
    with pytest.raises(ConsentgateError) as caught:
        open_source(csv_mapping(tmp_path))
    assert str(caught.value.field).endswith("columns[0].source")
