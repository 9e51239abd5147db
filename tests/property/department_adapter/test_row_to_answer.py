"""For arbitrary columns and values: row → ciphertexts → decrypt equals the column's encoding, exactly."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from department_adapter import features
from department_adapter.config import EncryptionTable
from department_adapter.encryption import Encryption
from department_adapter.mapping import MappedColumn, Mapping, SqlTable
from department_adapter.sources.interface import exact
from department_adapter.sources.sql import SqlSource
from paillier.columns import MAX_FIXED, BinnedColumn, Column, NumericColumn
from paillier.wire import split
from tests.support.federation import company_code
from tests.support.paillier_keys import key_2048

FIXED = st.integers(-MAX_FIXED, MAX_FIXED)
SCALES = st.integers(0, 12)
BINNED = st.builds(
    lambda scale, edges: BinnedColumn("x", scale, tuple(sorted(edges))), SCALES, st.sets(FIXED, min_size=1, max_size=4)
)
NUMERIC = st.builds(
    lambda scale, bounds, log: NumericColumn("x", scale, min(bounds), max(bounds), log),
    SCALES,
    st.sets(FIXED, min_size=2, max_size=2),
    st.booleans(),
)
COLUMNS = st.lists(BINNED | NUMERIC, min_size=1, max_size=4)
STORED = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.decimals(allow_nan=False, allow_infinity=False, places=6).map(str)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
)
"""What a cell of a database may hold."""

unhurried = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

Run = Callable[[Coroutine[Any, Any, bytes]], bytes]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="module")
def encryption() -> Iterator[Encryption]:
    made = Encryption(EncryptionTable(active_keys=1, table_megabytes=8, pool=8))
    yield made
    made.close()


def mapped(columns: list[Column]) -> list[MappedColumn]:
    return [MappedColumn(column, "category", f"c{index}", False) for index, column in enumerate(columns)]


@unhurried
@given(columns=COLUMNS, data=st.data())
def test_decrypted_positions_are_the_columns_encoding(
    run: Run, encryption: Encryption, columns: list[Column], data: st.DataObject
) -> None:
    values = [data.draw(STORED) for _ in columns]
    entries = mapped(columns)
    row = {entry.source: exact(value) for entry, value in zip(entries, values, strict=True)}
    ciphertexts = run(encryption.encrypt(key_2048().public, features.positions(entries, row)))
    expected = [position for column, value in zip(columns, values, strict=True) for position in column.encode(value)]
    opened = split(ciphertexts, key_2048().public, sum(column.width for column in columns))
    assert [int(key_2048().decrypt(c)) for c in opened] == expected


@unhurried
@given(columns=COLUMNS, data=st.data())
def test_shape_does_not_depend_on_the_row(columns: list[Column], data: st.DataObject) -> None:
    entries = mapped(columns)
    row = {entry.source: exact(data.draw(STORED)) for entry in entries}
    missing = dict.fromkeys(row)
    assert len(features.positions(entries, row)) == len(features.positions(entries, missing))
    assert all(position >= 0 for position in features.positions(entries, row))


@unhurried
@given(column=BINNED | NUMERIC, values=st.lists(STORED, min_size=1, max_size=5))
def test_what_a_database_stores_is_what_is_encoded(tmp_path: Path, column: Column, values: list[object]) -> None:
    """Through SQLite and SQLAlchemy, in a column without type, so that every value comes back as it was stored."""
    path = tmp_path / "records.db"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    codes = [company_code(serial) for serial in range(1, len(values) + 1)]
    with connection:
        connection.execute("CREATE TABLE records (uscc TEXT PRIMARY KEY, x)")
        connection.executemany("INSERT INTO records VALUES (?, ?)", zip(codes, values, strict=True))
    connection.close()
    mapping_file = tmp_path / "mapping.toml"
    mapping_file.write_text(
        '[source]\nkind = "sql"\nurl = "sqlite:///records.db"\ntable = "records"\nkey_column = "uscc"\n'
        '[[columns]]\nname = "x"\ncategory = "c"\nsource = "x"\nkind = "binned"\nscale = 0\nedges = [0]\n'
    )
    mapping = Mapping.load(mapping_file)
    assert isinstance(mapping.source, SqlTable)
    source = SqlSource(mapping, mapping.source)
    for code, value in zip(codes, values, strict=True):
        assert column.encode(source.read(code)["x"]) == column.encode(value)
    source.close()


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_exact_never_raises_and_never_rounds(value: Decimal) -> None:
    found = exact(value)
    assert found is None or found.compare_total(value) == 0
