"""The index's own file: lost, old, somebody else's, half made; and logs that are read without it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ledger.chain import Chain
from ledger.errors import StorageFailed
from ledger.fsck import FsckReport, fsck
from ledger.storage import indexing, sqlite_index_writer
from ledger.storage.searchable import SearchFilters, searchable_leaf
from ledger.storage.sqlite import SqliteStorage
from ledger.storage.sqlite_audit import SqliteAudit
from ledger.storage.sqlite_index import APPLICATION_ID, KEY_BLOCK_BITS, VERSION, index_of, indexed_keys
from ledger.storage.sqlite_reader import SqliteReader
from tests.support.log_batches import Wanted, batch_after, head_of
from tests.support.older_logs import store_version
from tests.support.searched_log import ALL, add, answers, answers_rightly, contents, entries, expected, grow
from tests.support.witnessed_log import ORIGIN

TABLES = ("indexed", "idempotency", "searchable", "category")
BLOCK = 1 << KEY_BLOCK_BITS


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that an index holds."""
    with closing(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES}  # noqa: S608 - constants


def examined(path: Path) -> FsckReport:
    with SqliteAudit(path) as audit:
        return fsck(audit)


def stored_leaves(path: Path) -> list[bytes]:
    with closing(SqliteReader(path, offline=True)) as reader:
        return reader.leaves(0, ALL)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "ledger.db"


@pytest.fixture
def chain(path: Path) -> Chain:
    """The log at `path` has thirty entries, and an index of them."""
    return grow(path, Chain(ORIGIN), entries(0, 30))


@pytest.mark.usefixtures("chain")
def test_the_index_says_what_the_leaves_say(path: Path) -> None:
    found = rows(index_of(path))
    leaves = stored_leaves(path)
    projections = [searchable_leaf(leaf) for leaf in leaves]
    assert found["searchable"] == [(seq, *projection[:-1]) for seq, projection in enumerate(projections)]
    assert found["category"] == sorted((name, seq) for seq, each in enumerate(projections) for name in each.categories)
    assert found["idempotency"] == sorted((0, f"key {seq}", seq) for seq in range(30))
    assert examined(path) == FsckReport(30, 30, None, (), 0)


def test_a_key_is_found_in_every_block_and_belongs_to_the_first_entry_that_bears_it(path: Path) -> None:
    """Keys are in order by blocks; of a key in two of them (no sequencer makes that) the older entry has it."""
    SqliteStorage.open(path).close()
    stored = {"first": 0, "last of a block": BLOCK - 1, "next": BLOCK, "twice": BLOCK + 9, "newest": 3 * BLOCK + 1}
    with closing(sqlite3.connect(index_of(path), isolation_level=None)) as index:
        for key, seq in [*stored.items(), ("twice", 2 * BLOCK)]:
            index.execute("INSERT INTO idempotency VALUES (?, ?, ?)", (seq // BLOCK, key, seq))
        with pytest.raises(sqlite3.IntegrityError, match="idempotency_block"):
            index.execute("INSERT INTO idempotency VALUES (1, 'where nobody looks', 5)")
        index.execute("UPDATE indexed SET size = ?", (3 * BLOCK + 2,))
        assert indexed_keys(index, [*stored, "unknown"]) == stored
        assert indexed_keys(index, [f"unknown {number}" for number in range(2000)] + ["newest"]) == {
            "newest": 3 * BLOCK + 1
        }


@pytest.mark.usefixtures("chain")
def test_nothing_but_two_databases_and_the_lock_is_left_when_a_log_is_closed(path: Path) -> None:
    with closing(SqliteStorage.open(path)):
        assert Path(f"{index_of(path)}-wal").exists()
    assert sorted(contents(path.parent)) == ["ledger.db", "ledger.db.index", "ledger.db.lock"]


def test_an_index_that_was_deleted_is_made_again_row_for_row(path: Path, chain: Chain) -> None:
    before = rows(index_of(path))
    index_of(path).unlink()
    assert examined(path) == FsckReport(30, 0, None, (), 0)
    SqliteStorage.open(path).close()
    assert rows(index_of(path)) == before
    grow(path, chain, entries(30, 35))
    assert examined(path) == FsckReport(35, 35, None, (), 0)


@pytest.mark.usefixtures("chain")
def test_many_rounds_make_the_same_index_as_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(index_of(path))
    index_of(path).unlink()
    monkeypatch.setattr(indexing, "MAX_ROUND", 7)
    SqliteStorage.open(path).close()
    assert rows(index_of(path)) == before


def test_an_older_index_is_extended(path: Path, chain: Chain) -> None:
    older = index_of(path).read_bytes()
    grow(path, chain, entries(30, 40))
    newer = rows(index_of(path))
    index_of(path).write_bytes(older)
    assert examined(path) == FsckReport(40, 30, None, (), 0)
    with capture_logs() as journal, closing(SqliteStorage.open(path)):
        assert journal == []
    assert rows(index_of(path)) == newer


def replaced(path: Path) -> None:
    """Opens the log, whose index must be made anew, and closes it."""
    with capture_logs() as journal:
        SqliteStorage.open(path).close()
    assert ["made anew" in entry["event"] for entry in journal] == [True]


def test_a_log_restored_from_an_older_copy_loses_the_index_of_what_it_does_not_have(path: Path, chain: Chain) -> None:
    older = path.read_bytes()
    grow(path, chain, entries(30, 40))
    path.write_bytes(older)
    assert examined(path) == FsckReport(30, 0, None, (), 0)
    replaced(path)
    assert examined(path) == FsckReport(30, 30, None, (), 0)
    with closing(SqliteStorage.open(path)) as storage:
        assert storage.find_keys(["key 29", "key 30", "key 39"]) == {"key 29": 29}
        assert storage.search(SearchFilters(), 28, 100) == storage.leaves(29, 100)
    # Another history, as long as the one that was lost, with other keys.
    other = [Wanted("log.opened", {}, f"other key {number}", number) for number in range(30, 40)]
    grow(path, chain, other)
    with closing(SqliteStorage.open(path)) as storage:
        assert storage.find_keys(["key 30", "other key 30"]) == {"other key 30": 30}
    assert examined(path) == FsckReport(40, 40, None, (), 0)


def test_the_index_of_a_history_that_went_another_way_is_replaced(path: Path, chain: Chain) -> None:
    """Restored, and grown again to the same size by a process that made its own index; then the lost one came back."""
    older = contents(path.parent)
    grow(path, chain, entries(30, 40))
    lost = index_of(path).read_bytes()
    for name, content in older.items():
        (path.parent / name).write_bytes(content)
    grow(path, chain, entries(50, 60))
    index_of(path).write_bytes(lost)
    replaced(path)
    assert examined(path) == FsckReport(40, 40, None, (), 0)
    with closing(SqliteReader(path)) as reader:
        assert reader.find_keys(["key 30", "key 50"]) == {"key 50": 30}


@pytest.mark.parametrize("size", [5, 30, 50])
def test_the_index_of_another_log_is_replaced(path: Path, chain: Chain, tmp_path: Path, size: int) -> None:
    before = rows(index_of(path))
    other = tmp_path / "other" / "ledger.db"
    grow(other, Chain("other.test/log"), entries(100, 100 + size))
    shutil.copy(index_of(other), index_of(path))
    assert examined(path) == FsckReport(30, 0, None, (), 0)
    replaced(path)
    assert rows(index_of(path)) == before
    assert examined(path) == FsckReport(30, 30, None, (), 0)


ALTERED = {
    "another version": f"PRAGMA user_version = {VERSION + 1}",
    "no size": "DELETE FROM indexed",
}


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize("statement", ALTERED.values(), ids=ALTERED)
def test_an_index_that_this_version_does_not_understand_is_replaced(path: Path, statement: str) -> None:
    before = rows(index_of(path))
    with closing(sqlite3.connect(index_of(path), isolation_level=None)) as connection:
        connection.execute(statement)
    assert examined(path) == FsckReport(30, 0, None, (), 0)
    replaced(path)
    assert rows(index_of(path)) == before


def foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE indexed (size, last)")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.commit()


STRANGERS: dict[str, Callable[[Path], object]] = {
    "a database": foreign_database,
    "a ledger": lambda path: shutil.copy(path.with_name("ledger.db"), path),
    "a text": lambda path: path.write_text("Dear diary, " * 1000),
}


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize("make", STRANGERS.values(), ids=STRANGERS)
def test_something_else_where_the_index_belongs_is_refused_and_left_as_it_was(
    path: Path, make: Callable[[Path], object]
) -> None:
    stranger = index_of(path)
    stranger.unlink()
    make(stranger)
    before = stranger.read_bytes()
    for opening in (SqliteStorage.open, SqliteReader, SqliteAudit, lambda path: SqliteReader(path, offline=True)):
        with pytest.raises(StorageFailed, match=r"something else|not a database"):
            opening(path)
    assert stranger.read_bytes() == before
    stranger.unlink()
    SqliteStorage.open(path).close()
    assert examined(path) == FsckReport(30, 30, None, (), 0)


def empty_database(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0


LEFT_BY_A_POWER_CUT: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: path.unlink(),
    "no byte": lambda path: path.write_bytes(b""),
    "no table": empty_database,
}


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize("cut", LEFT_BY_A_POWER_CUT.values(), ids=LEFT_BY_A_POWER_CUT)
def test_what_a_power_cut_leaves_of_a_new_index_is_made_whole(path: Path, cut: Callable[[Path], object]) -> None:
    before = rows(index_of(path))
    index_of(path).write_bytes(b"")
    cut(index_of(path))
    assert examined(path) == FsckReport(30, 0, None, (), 0)
    with closing(SqliteReader(path, offline=True)) as reader:
        assert answers_rightly(reader, 30)
    SqliteStorage.open(path).close()
    assert rows(index_of(path)) == before


@pytest.mark.usefixtures("chain")
def test_an_index_that_was_deleted_without_its_write_ahead_log_is_made_again(path: Path, tmp_path: Path) -> None:
    """After a crash it has one; whoever deletes the index may overlook it."""
    killed = tmp_path / "killed" / "ledger.db"
    with closing(SqliteStorage.open(path)):
        shutil.copytree(path.parent, killed.parent)
    index_of(killed).unlink()
    assert Path(f"{index_of(killed)}-wal").exists()
    SqliteStorage.open(killed).close()
    assert rows(index_of(killed)) == rows(index_of(path))
    assert examined(killed) == FsckReport(30, 30, None, (), 0)


def test_an_index_that_somebody_holds_stops_no_append_and_hides_no_key(
    path: Path, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_index_writer, "BUSY_SECONDS", 0.0)
    monkeypatch.setattr(indexing, "ROUND", 1)
    monkeypatch.setattr(indexing, "PAUSE_SECONDS", 0.01)
    with closing(SqliteStorage.open(path)) as storage, closing(sqlite3.connect(index_of(path))) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with capture_logs() as journal:
            for number in range(30, 36):
                chain = add(storage, chain, entries(number, number + 1))
                assert answers_rightly(storage, number + 1)
            holder.rollback()
    assert {entry["event"] for entry in journal} <= {"index not extended"}
    assert examined(path) == FsckReport(36, 36, None, (), 0)


def test_a_log_of_the_second_version_keeps_its_keys_and_searches(path: Path) -> None:
    batch, chain = batch_after(Chain(ORIGIN), [*entries(0, 20), Wanted("log.opened", {}, None, 20), *entries(21, 30)])
    path.parent.mkdir()
    store_version(2, path, batch)
    with pytest.raises(StorageFailed, match="schema version 4"):
        SqliteReader(path)
    leaves = [record.leaf for record in batch.records]
    with closing(SqliteStorage.open(path)) as storage:
        assert storage.head() == head_of(chain)
        assert storage.leaves(0, 100) == leaves
        whole, pages, keys = expected(leaves)
        assert answers(storage, 30) == (whole, pages, {key: seq for key, seq in keys.items() if seq != 20})
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            storage._connected().execute("DELETE FROM entry")
    assert examined(path) == FsckReport(30, 30, None, (), 0)
    grow(path, chain, entries(30, 35))
    assert examined(path) == FsckReport(35, 35, None, (), 0)


def test_an_index_is_not_a_ledger(path: Path, chain: Chain) -> None:
    """Its file is marked as what it is: opened as a log by mistake, it is refused and not migrated."""
    assert chain.size == 30
    before = index_of(path).read_bytes()
    with closing(sqlite3.connect(index_of(path))) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    with pytest.raises(StorageFailed, match="not a ledger database"):
        SqliteStorage.open(index_of(path))
    assert index_of(path).read_bytes() == before
