"""fsck of a database file in particular; what it finds in any database: tests/contract/test_fsck.py."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint
from ledger.entry import leaf_hash
from ledger.errors import NotFound, StorageFailed
from ledger.export import Progress
from ledger.fsck import MAX_FINDINGS, Finding, FsckReport
from ledger.fsck import fsck as examine
from ledger.merkle import root
from ledger.storage.sqlite_audit import SqliteAudit
from ledger.storage.sqlite_index import index_of
from tests.support.sample_log import COSIGNED_AT, alter, sample_log, store_log
from tests.support.witnessed_log import ORIGIN

LOG = sample_log()
SIZE = len(LOG.leaves)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A database file of ten entries and its index, closed and checkpointed."""
    path = store_log(LOG, tmp_path_factory.mktemp("pristine") / "ledger.db")
    for file in (path, index_of(path)):
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.close()
    return path.read_bytes(), index_of(path).read_bytes()


@pytest.fixture
def database(pristine: tuple[bytes, bytes], tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    path.write_bytes(pristine[0])
    index_of(path).write_bytes(pristine[1])
    return path


def fsck(path: Path, signed: Checkpoint | None = None, progress: Progress | None = None) -> FsckReport:
    with SqliteAudit(path) as audit:
        return examine(audit, signed, progress)


def places(report: FsckReport) -> set[str]:
    return {finding.place for finding in report.findings}


def test_sound_database(database: Path) -> None:
    steps: list[tuple[int, int]] = []
    assert fsck(database, progress=lambda *step: steps.append(step)) == FsckReport(SIZE, SIZE, SIZE, (), 0)
    assert fsck(database).clean


def test_it_changes_nothing(tmp_path: Path) -> None:
    """A closed database in WAL mode: neither it nor the folder changes, though a plain read-only open would."""
    path = store_log(LOG, tmp_path / "folder" / "ledger.db")
    (tmp_path / "folder" / "ledger.db.lock").unlink()
    before = path.read_bytes()
    assert fsck(path).clean
    assert path.read_bytes() == before
    assert {found.name for found in path.parent.iterdir()} == {"ledger.db", "ledger.db.index"}


def test_a_log_without_its_index_is_sound(database: Path) -> None:
    index_of(database).unlink()
    assert fsck(database) == FsckReport(SIZE, 0, SIZE, (), 0)


def test_a_log_beside_which_the_ledger_runs(tmp_path: Path) -> None:
    """WAL and its index exist, and some entries are not witnessed yet."""
    path = store_log(sample_log(repeat=150), tmp_path / "ledger.db", witnessed=4)
    writer = sqlite3.connect(path)
    writer.execute("UPDATE checkpoint SET note = note")
    writer.commit()
    report = fsck(path)
    writer.close()
    assert (report.clean, report.entries, report.witnessed) == (True, 1351, 4)


def note_replacing(old: str, new: str) -> str:
    """Statement that alters the stored note."""
    return f"UPDATE checkpoint SET note = CAST(replace(CAST(note AS TEXT), {old}, {new}) AS BLOB)"  # noqa: S608


ALTERATIONS = [
    ("DROP INDEX searchable_kind", {"schema"}),
    ("UPDATE entry SET leaf = CAST(' ' || CAST(leaf AS TEXT) AS BLOB) WHERE seq = 9", {"entry 9"}),
    ("CREATE TABLE extra (x)", {"schema"}),
    ("CREATE TRIGGER extra AFTER INSERT ON entry BEGIN DELETE FROM entry; END", {"schema"}),
]


@pytest.mark.parametrize(("statement", "expected"), ALTERATIONS, ids=[statement for statement, _ in ALTERATIONS])
def test_altered_file_is_named(database: Path, statement: str, expected: set[str]) -> None:
    alter(database, statement)
    report = fsck(database)
    assert not report.clean
    assert expected <= places(report)


def test_missing_trigger(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("DROP TRIGGER entry_no_update")
    connection.close()
    assert fsck(database).findings == (Finding("schema", "entry_no_update is not as this version made it"),)


def test_findings_are_bounded(tmp_path: Path) -> None:
    path = store_log(sample_log(repeat=20), tmp_path / "ledger.db")
    alter(path, "UPDATE searchable SET kind = 'x'")
    report = fsck(path)
    assert (len(report.findings), report.omitted) == (MAX_FINDINGS, 181 - MAX_FINDINGS)


def signed(size: int, hashes: list[bytes]) -> Checkpoint:
    return Checkpoint(ORIGIN, size, root(hashes[:size]))


def test_second_place(database: Path) -> None:
    hashes = [leaf_hash(leaf) for leaf in LOG.leaves]
    for size in (0, 3, SIZE):
        assert fsck(database, signed(size, hashes)).clean
    longer = sample_log(repeat=2)
    ahead = signed(SIZE + 1, [leaf_hash(leaf) for leaf in longer.leaves])
    assert fsck(database, ahead).findings == (
        Finding("second place", "the database is an old copy: the log signed further"),
    )
    fork = Checkpoint(ORIGIN, 3, bytes(32))
    assert places(fsck(database, fork)) == {"second place"}
    assert places(fsck(database, Checkpoint("other.test", 3, root(hashes[:3])))) == {"second place"}


def test_note_that_does_not_fit_the_leaves(database: Path) -> None:
    other = sample_log(repeat=2).note(COSIGNED_AT, size=SIZE - 1)
    connection = sqlite3.connect(database)
    connection.execute("UPDATE checkpoint SET note = ?, size = ?", (other, SIZE - 1))
    connection.commit()
    connection.close()
    assert fsck(database).clean  # the first nine entries of both logs are the same
    alter(database, note_replacing(f"'{SIZE - 1}'", "'8'"))
    assert "checkpoint" in places(fsck(database))


def test_files_that_are_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        fsck(tmp_path / "missing.db")
    for name, content in (("text.db", b"hello" * 1000), ("empty.db", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StorageFailed):
            fsck(tmp_path / name)


@pytest.mark.parametrize("which", [0, 1], ids=["log", "index"])
def test_flipped_bytes_of_the_file_never_crash_it(database: Path, pristine: tuple[bytes, bytes], which: int) -> None:
    """Anywhere in the file: found, or of no consequence, or refused as a broken file; never another exception."""
    found, file = 0, (database, index_of(database))[which]
    for position in range(0, len(pristine[which]), 997):
        data = bytearray(pristine[which])
        data[position] ^= 0x55
        file.write_bytes(data)
        try:
            found += not fsck(database).clean
        except StorageFailed:
            found += 1
    assert found > 0
