"""A SQLite log whose index is missing, old or another log's is read all the same; and what readers leave behind."""

from __future__ import annotations

import queue
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ledger.chain import Chain
from ledger.fsck import fsck
from ledger.storage.searchable import SearchFilters
from ledger.storage.sqlite_audit import SqliteAudit
from ledger.storage.sqlite_index import index_of
from ledger.storage.sqlite_reader import SqliteReader
from ledger.tree import NodeId
from tests.support.log_batches import NOW
from tests.support.sample_log import SUBJECT
from tests.support.searched_log import ALL, answers_rightly, contents, entries, grow
from tests.support.small_disk import small_disk
from tests.support.witnessed_log import ORIGIN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "ledger.db"


@pytest.fixture
def chain(path: Path) -> Chain:
    """The log at `path` has thirty entries, and an index of them."""
    return grow(path, Chain(ORIGIN), entries(0, 30))


def lagging(path: Path, chain: Chain) -> None:
    """The log has ten entries more than its index."""
    older = index_of(path).read_bytes()
    grow(path, chain, entries(30, 40))
    index_of(path).write_bytes(older)


def of_another_log(path: Path, chain: Chain) -> None:
    other = path.parent.with_name("another") / "ledger.db"
    grow(other, Chain("other.test/log"), entries(100, 130))
    shutil.copy(index_of(other), index_of(path))


BESIDE: dict[str, Callable[[Path, Chain], object]] = {
    "whole": lambda *_: None,
    "none": lambda path, _: index_of(path).unlink(),
    "lagging": lagging,
    "another log's": of_another_log,
}


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
def test_an_offline_reader_answers_the_same_whatever_the_index_and_writes_nothing(
    path: Path, chain: Chain, beside: Callable[[Path, Chain], object]
) -> None:
    beside(path, chain)
    before = contents(path.parent)
    with closing(SqliteReader(path, offline=True)) as reader:
        assert answers_rightly(reader, reader.head().size)
        assert contents(path.parent) == before  # also while it is open
    assert contents(path.parent) == before


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
def test_a_log_on_a_medium_that_cannot_be_written_is_read_and_examined(
    path: Path, chain: Chain, tmp_path: Path, beside: Callable[[Path, Chain], object]
) -> None:
    beside(path, chain)
    with closing(SqliteReader(path, offline=True)) as reader:
        size = reader.head().size
    with small_disk(tmp_path / "medium", 4) as disk:
        shutil.copytree(path.parent, disk.path / "log")
        subprocess.run(["mount", "-o", "remount,ro", str(disk.path)], check=True)
        there = disk.path / "log" / "ledger.db"
        with closing(SqliteReader(there, offline=True)) as reader:
            assert answers_rightly(reader, size)
        with SqliteAudit(there) as audit:
            report = fsck(audit)
        assert report.clean
        assert report.entries == size


def test_a_reader_that_came_before_the_index_sees_all_that_is_appended_later(path: Path, chain: Chain) -> None:
    index_of(path).unlink()
    with closing(SqliteReader(path)) as reader:
        grow(path, chain, entries(30, 40))
        assert answers_rightly(reader, 40)


READS: dict[str, Callable[[SqliteReader], object]] = {
    "head": lambda reader: reader.head(),
    "leaves": lambda reader: reader.leaves(0, 5),
    "nodes": lambda reader: reader.nodes([NodeId(0, 3), NodeId(1, 1)]),
    "keys": lambda reader: reader.find_keys(["key 3", "key 29", "key 99"]),
    "a search": lambda reader: reader.search(SearchFilters(), None, ALL),
    "a search that ends early": lambda reader: reader.search(SearchFilters(), 28, 1),
    "a search that ends in the index": lambda reader: reader.search(SearchFilters(), None, 3),
    "a search by time": lambda reader: reader.search(SearchFilters(not_before=NOW, not_after=NOW), None, 3),
    "tokens": lambda reader: reader.search(SearchFilters(subject=SUBJECT), None, 3),
    "checkpoint": lambda reader: reader.checkpoint(),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
@pytest.mark.parametrize("has_index", [True, False])
def test_a_connection_that_is_given_back_sees_what_is_appended_next(
    path: Path, chain: Chain, read: Callable[[SqliteReader], object], has_index: bool
) -> None:
    """Another thread may take it at once: a statement left open would show it an old log, and an old index."""
    if not has_index:
        index_of(path).unlink()
    seen: list[tuple[int, ...]] = []

    class Append(queue.SimpleQueue[sqlite3.Connection]):
        """Between the one who gives a connection back and the next."""

        def put(self, connection: sqlite3.Connection, *_: object) -> None:
            grow(path, chain, entries(30, 35))
            seen.append(connection.execute("SELECT size FROM head").fetchone())
            super().put(connection)

    with closing(SqliteReader(path)) as reader:
        true_idle, reader._idle = reader._idle, Append()
        queue.SimpleQueue.put(reader._idle, true_idle.get())
        read(reader)
    assert seen == [(35,)]
