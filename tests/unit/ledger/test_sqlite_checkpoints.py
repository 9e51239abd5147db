"""The write-ahead log is copied beside the commits: it stays small, nothing waits for it, nothing is lost by it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from ledger.chain import Chain
from ledger.errors import StorageFailed
from ledger.storage import sqlite_checkpoints
from ledger.storage.sqlite import SqliteStorage
from ledger.storage.sqlite_checkpoints import COPY, WalCheckpoints
from tests.support.log_batches import batch_after, head_of, opened
from tests.support.witnessed_log import ORIGIN

BATCH = 6
PAGES = 4
"""That a commit of a batch is counted for."""


@pytest.fixture(autouse=True)
def few_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_checkpoints, "PAGES", 3 * PAGES)
    monkeypatch.setattr(sqlite_checkpoints, "REST", 2 * PAGES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


class Growing:
    """A log that is appended to."""

    def __init__(self, storage: SqliteStorage) -> None:
        self.storage = storage
        self.chain = Chain(ORIGIN)

    def append(self) -> None:
        batch, grown = batch_after(self.chain, opened(BATCH, self.chain.size))
        self.storage.append(head_of(self.chain), batch)
        self.chain = grown


def frames_and_copied(path: Path) -> tuple[int, int]:
    """Of the write-ahead log, as its index says (sqlite.org/walformat.html)."""
    header = path.with_name("ledger.db-shm").read_bytes()
    return int.from_bytes(header[16:20], "little"), int.from_bytes(header[96:100], "little")


def copied(storage: SqliteStorage) -> None:
    """Once what is being copied beside is copied, as if the disk were fast."""
    copying = storage._checkpoints._copying
    if copying is not None:
        copying.result()


def test_the_log_stays_small_and_the_file_holds_everything(path: Path) -> None:
    growing = Growing(SqliteStorage.open(path))
    sizes = []
    for _ in range(120):
        growing.append()
        copied(growing.storage)
        sizes.append(path.with_name("ledger.db-wal").stat().st_size)
    assert max(sizes) < 5 * sizes[0]  # it is begun anew, and not only added to
    assert growing.storage.head() == head_of(growing.chain)
    growing.storage.close()


def test_commits_go_on_while_it_is_copied(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end, copies = Event(), []

    def copy_slowly(_: Path) -> None:
        copies.append("beside")
        may_end.wait(10)

    monkeypatch.setattr(sqlite_checkpoints, "_copy_beside", copy_slowly)
    monkeypatch.setattr(sqlite_checkpoints, "_copy", lambda _: copies.append("rest"))
    growing = Growing(SqliteStorage.open(path))
    copies.clear()
    for _ in range(10):
        growing.append()
    assert growing.storage.head().size == 10 * BATCH
    assert copies == ["beside"]
    may_end.set()
    copied(growing.storage)
    growing.append()  # much came in meanwhile: it is copied beside too, after one more commit
    assert copies == ["beside"]
    growing.append()
    copied(growing.storage)
    growing.append()
    assert copies == ["beside", "beside", "rest"]
    growing.storage.close()


def test_commits_that_are_faster_than_the_copies_wait_at_last(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    monkeypatch.setattr(sqlite_checkpoints, "_copy_beside", lambda _: copies.append("beside"))
    monkeypatch.setattr(sqlite_checkpoints, "_copy", lambda _: copies.append("rest"))
    monkeypatch.setattr(sqlite_checkpoints, "REST", PAGES - 1)  # a commit brings more
    growing = Growing(SqliteStorage.open(path))
    copies.clear()
    for _ in range(16):
        growing.append()
        copied(growing.storage)
    assert copies == [*["beside"] * 3, "rest"] * 2
    growing.storage.close()


def test_a_copy_begins_only_when_there_is_something_to_copy(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a bug of SQLite before 3.51.3 could strike: see the module."""
    begun_with: list[tuple[int, int]] = []
    copy_beside = sqlite_checkpoints._copy_beside

    def watched(place: Path) -> None:
        begun_with.append(frames_and_copied(path))
        copy_beside(place)

    monkeypatch.setattr(sqlite_checkpoints, "_copy_beside", watched)
    growing = Growing(SqliteStorage.open(path))
    for _ in range(60):
        growing.append()
    growing.storage.close()
    assert len(begun_with) >= 5
    assert all(copied < frames for frames, copied in begun_with)


def test_nor_after_a_copy_that_was_late_and_copied_everything(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each copy works only when the next commit is done, and has ended before anybody looks whether it has."""
    may_work, begun_with, copy_beside = Event(), [], sqlite_checkpoints._copy_beside
    committed = WalCheckpoints.committed

    def late(place: Path) -> None:
        may_work.wait(10)
        copy_beside(place)

    def looked_at(self: WalCheckpoints, writer: sqlite3.Connection, entries: int) -> None:
        before = self._copying
        if before is not None:
            may_work.set()
            before.result()
        state = frames_and_copied(path)
        may_work.clear()
        committed(self, writer, entries)
        if self._copying not in (None, before):
            begun_with.append(state)

    monkeypatch.setattr(sqlite_checkpoints, "_copy_beside", late)
    monkeypatch.setattr(WalCheckpoints, "committed", looked_at)
    monkeypatch.setattr(sqlite_checkpoints, "REST", 0)
    growing = Growing(SqliteStorage.open(path))
    for _ in range(40):
        growing.append()
    may_work.set()
    growing.storage.close()
    assert len(begun_with) >= 5
    assert all(copied < frames for frames, copied in begun_with)


def test_the_log_of_a_quiet_ledger_stays_small_too(path: Path) -> None:
    """Nothing is appended, and a freshly cosigned checkpoint is kept every second."""
    storage = SqliteStorage.open(path)
    sizes = []
    for number in range(200):
        storage.put_checkpoint(1, b"note %d" % number)
        copied(storage)
        sizes.append(path.with_name("ledger.db-wal").stat().st_size)
    assert max(sizes[100:]) == max(sizes[:100])
    storage.close()


def test_what_a_killed_process_left_in_the_log_is_copied_at_the_next_start(path: Path, tmp_path: Path) -> None:
    growing = Growing(SqliteStorage.open(path))
    growing.append()
    left = tmp_path / "left" / "ledger.db"
    left.parent.mkdir()
    for suffix in ("", "-wal"):
        left.with_name(f"ledger.db{suffix}").write_bytes(path.with_name(f"ledger.db{suffix}").read_bytes())
    growing.storage.close()
    again = SqliteStorage.open(left)
    frames, copied_frames = frames_and_copied(left)
    assert frames == copied_frames > 0
    assert again.head() == head_of(growing.chain)
    again.close()


def test_only_one_place_copies(path: Path) -> None:
    storage = SqliteStorage.open(path)
    assert storage._connected().execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    storage.close()


def test_a_checkpoint_that_was_not_kept_leaves_commits_synchronised(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not, between the two settings of `put_checkpoint`."""

    class Failing(sqlite3.Connection):
        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            if statement.startswith("INSERT INTO checkpoint"):
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(statement, *values)

    true_connect = sqlite3.connect
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", lambda *a, **k: true_connect(*a, factory=Failing, **k))
        storage = SqliteStorage.open(path)
        with pytest.raises(StorageFailed):
            storage.put_checkpoint(1, b"note")
    assert storage._connected().execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    storage.close()


def test_a_copy_that_fails_costs_no_entry(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_checkpoints, "COPY", "SELECT * FROM nothing")
    growing = Growing(SqliteStorage.open(path))
    for _ in range(12):
        growing.append()
    growing.storage.close()
    again = SqliteStorage.open(path)
    assert again.head() == head_of(growing.chain)
    again.close()


def test_closing_waits_for_a_copy(path: Path) -> None:
    SqliteStorage.open(path).close()
    checkpoints, writer = WalCheckpoints(path), sqlite3.connect(path)
    checkpoints.committed(writer, 10 * BATCH)
    copying = checkpoints._copying
    checkpoints.close()
    assert copying is not None
    assert copying.done()
    writer.close()
    assert COPY.endswith("(PASSIVE)")  # waits for nobody, and nobody for it
