"""A database file from a stranger: what bears the names of a ledger's tables is compared before anything is read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consentgate.terminal import ExitCode
from ledger.errors import StorageFailed
from ledger.storage.sqlite_index import index_of
from ledger_service.cli import app
from ledger_service.foreign_tables import refuse_foreign_tables
from tests.support.command_line import run_command
from tests.support.sample_log import sample_log, store_log
from tests.support.witnessed_log import policy_text

ENDLESS = (
    "CREATE VIEW {} AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n WHERE i < 0"
)
DEFECTS = {
    "a view that never ends for entries": (
        "entry",
        ENDLESS.format("entry", "i AS seq, x'00' AS leaf, x'00' AS leaf_hash, NULL AS key, NULL AS binding"),
    ),
    "a view that never ends for nodes": ("node", ENDLESS.format("node", "i AS level, i AS position, x'00' AS hash")),
    "leaves of any type": ("entry", "CREATE TABLE entry (seq INTEGER PRIMARY KEY, leaf, leaf_hash, key, binding)"),
    "a note of any type": ("checkpoint", "CREATE TABLE checkpoint (id INTEGER PRIMARY KEY, size, note)"),
    "no head": ("head", ""),
}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    store_log(sample_log(), tmp_path / "ledger.db")
    return tmp_path / "ledger.db"


def alter(path: Path, table: str, statement: str) -> None:
    """The table is another one, with the rows that there were as far as it takes them."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE old AS SELECT * FROM {table}")  # noqa: S608 - a constant
        connection.execute(f"DROP TABLE {table}")
        if statement:
            connection.execute(statement)
        if statement.startswith("CREATE TABLE"):
            connection.execute(f"INSERT INTO {table} SELECT * FROM old")  # noqa: S608 - a constant
        connection.commit()


def test_a_ledgers_own_file_is_read(database: Path) -> None:
    refuse_foreign_tables(database)
    index_of(database).unlink()
    refuse_foreign_tables(database)


@pytest.mark.parametrize("defect", DEFECTS)
def test_nothing_is_read_from_a_file_whose_tables_are_others(database: Path, tmp_path: Path, defect: str) -> None:
    (tmp_path / "ledger-policy.txt").write_text(policy_text())
    policy = ["--policy", tmp_path / "ledger-policy.txt"]
    alter(database, *DEFECTS[defect])
    for command in (
        ["verify", database, *policy],
        ["fsck", "--database", database],
        ["show", "0", "--from", database],
        ["search", "--from", database],
        ["replay", "--from", database, *policy],
        ["export", tmp_path / "export", "--database", database, *policy],
    ):
        ended = run_command(app, command)
        assert ended.code is ExitCode.INVALID, command
        assert "is not the table that a ledger makes" in ended.err


def test_the_index_beside_it_is_looked_at_too(database: Path) -> None:
    alter(index_of(database), "indexed", ENDLESS.format("indexed", "i AS id, i AS size, '' AS last"))
    with pytest.raises(StorageFailed, match="indexed is not the table"):
        refuse_foreign_tables(database)


def test_an_index_that_was_just_being_made_is_none(database: Path) -> None:
    index_of(database).unlink()
    index_of(database).touch()
    refuse_foreign_tables(database)
