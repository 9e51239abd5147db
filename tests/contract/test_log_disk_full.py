"""A disk that becomes full beneath the database or the second place: a named error, nothing acknowledged and lost,
nothing by halves, and no restart once there is room again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from ledger import log as log_module
from ledger import sequencer
from ledger.errors import LedgerError, QuorumNotMet, StorageFailed
from ledger.fsck import fsck
from ledger.log import Log
from ledger.storage.sqlite import SqliteStorage
from ledger.verify import verify_leaves, verify_receipt
from ledger.witness import Witness
from tests.contract.log_storages import POSTGRESQL, SQLITE, StorageKind
from tests.support.postgresql import OWNER, PostgresqlServer
from tests.support.running_log import KIND, POLICY, LocalWitness, LogFolder, eventually, transition
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.witnessed_log import witness_signer

MOST_ENTRIES = 400
"""After so many the disk must have been found full."""
PAGES = 20
"""Bound on a SQLite database that has 16 pages at first, most of them free."""
SQLITE_MEGABYTES = 2
POSTGRESQL_MEGABYTES = 16
"""An empty database has eight."""


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "QUORUM_SECONDS", 0.5)
    monkeypatch.setattr(sequencer, "RELOAD_SECONDS", 0.05)


@pytest.fixture
def mounted() -> Iterator[Callable[[Path, int], SmallDisk]]:
    with ExitStack() as stack:

        def mount(path: Path, megabytes: int) -> SmallDisk:
            return stack.enter_context(small_disk(path, megabytes))

        yield mount


async def append_until_full(log: Log) -> tuple[dict[str, bytes], str]:
    """Leaf of every key that was acknowledged, and the key that was not."""
    acknowledged: dict[str, bytes] = {}
    for number in range(MOST_ENTRIES):
        key = f"key {number}"
        try:
            receipt = await log.append(KIND, transition(number), key)
        except StorageFailed:
            return acknowledged, key
        verify_receipt(receipt, POLICY)
        acknowledged[key] = receipt.leaf
    raise AssertionError("the disk never became full")


async def check_full_and_recovered(
    folder: LogFolder, kind: StorageKind, place: str, fill: Callable[[], None], make_room: Callable[[], None]
) -> None:
    async with folder.running() as log:
        await log.append(KIND, transition(), "before")
        fill()
        acknowledged, refused = await append_until_full(log)
        with pytest.raises(LedgerError):
            log.check()
        with pytest.raises(StorageFailed):
            await log.append(KIND, transition(1), "also refused")
        # What was acknowledged is there, and can be read and proven on the full disk.
        leaves = await log.published.leaves(0, 10_000)
        assert set(acknowledged.values()) <= set(leaves)
        make_room()
        again = await insist(log, refused)
        assert not again
        for key, leaf in acknowledged.items():
            receipt = await log.append(KIND, transition(), key)
            assert (receipt.existing, receipt.leaf) == (True, leaf)
        log.check()
        report = verify_leaves(await log.published.leaves(0, 10_000), log.published.current().note, POLICY)
    assert report.kinds == {"log.opened": 1, KIND: len(acknowledged) + 2}
    with kind.open_audit(place) as audit:
        assert fsck(audit).findings == ()


async def insist(log: Log, key: str) -> bool:
    """Whether the entry was there already; the first attempts may still find the trouble."""
    for _ in range(100):
        try:
            return (await log.append(KIND, transition(1), key)).existing
        except LedgerError:
            pass
    raise AssertionError("there is room, and the log does not go on")


async def test_a_full_disk_beneath_sqlite(tmp_path: Path, mounted: Callable[[Path, int], SmallDisk]) -> None:
    folder = LogFolder(tmp_path)
    disk = mounted(folder.database.parent, SQLITE_MEGABYTES)
    await check_full_and_recovered(folder, SQLITE, str(folder.database), disk.fill, disk.make_room)


async def test_a_full_database_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own bound, which anybody can set: the same error of SQLite's as a full disk."""
    folder, limit = LogFolder(tmp_path), [1_000_000]
    true_connected = SqliteStorage._connected

    def bounded(self: SqliteStorage) -> object:
        connection = true_connected(self)
        connection.execute(f"PRAGMA max_page_count = {limit[0]}")
        return connection

    monkeypatch.setattr(SqliteStorage, "_connected", bounded)
    await check_full_and_recovered(
        folder, SQLITE, str(folder.database), lambda: limit.__setitem__(0, PAGES), lambda: limit.__setitem__(0, 10**6)
    )


async def test_a_full_disk_beneath_postgresql(
    tmp_path: Path, postgresql: PostgresqlServer, mounted: Callable[[Path, int], SmallDisk]
) -> None:
    """Its tables are on the small disk, its write-ahead log is not."""
    disk = mounted(postgresql.folder / "small", POSTGRESQL_MEGABYTES)
    tables = disk.path / "tables"
    tables.mkdir()
    shutil.chown(tables, OWNER)
    address = postgresql.url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(address, autocommit=True) as session:
        session.execute(f"CREATE TABLESPACE small LOCATION '{tables}'")
        session.execute("CREATE DATABASE small TABLESPACE small")
    place = address.replace(f"@/{OWNER}?", "@/small?")
    folder = LogFolder(tmp_path)
    folder.open_storage = lambda: POSTGRESQL.open(place)
    try:
        await check_full_and_recovered(folder, POSTGRESQL, place, disk.fill, disk.make_room)
    finally:
        with psycopg.connect(address, autocommit=True) as session:
            session.execute("DROP DATABASE small WITH (FORCE)")
            session.execute("DROP TABLESPACE small")


async def test_without_room_for_its_second_place_a_new_log_signs_nothing(
    folder: LogFolder, mounted: Callable[[Path, int], SmallDisk]
) -> None:
    folder.second_place = folder.path / "small" / "place"
    disk = mounted(folder.second_place.parent, 1)
    disk.fill()
    async with folder.running() as log:
        with pytest.raises(QuorumNotMet):
            await log.append(KIND, transition(), "key")
        assert not any(witness.shown for witness in folder.witnesses.values())
        with pytest.raises(LedgerError):
            log.check()
        disk.make_room()
        assert await insist(log, "key")  # it was durable from the first time on
        log.check()


async def test_a_second_place_that_exists_needs_no_more_room(
    folder: LogFolder, mounted: Callable[[Path, int], SmallDisk]
) -> None:
    folder.second_place = folder.path / "small" / "place"
    disk = mounted(folder.second_place.parent, 1)
    async with folder.running() as log:
        await log.append(KIND, transition(), "before")
        disk.fill()
        for number in range(3):
            verify_receipt(await log.append(KIND, transition(number), f"key {number}"), POLICY)


async def test_a_witness_without_room_cosigns_nothing_and_stops_nobody(
    folder: LogFolder, mounted: Callable[[Path, int], SmallDisk]
) -> None:
    disk = mounted(folder.path / "small", 1)
    state = disk.path / "tax.state"
    folder.witnesses["tax"] = LocalWitness(Witness(witness_signer("tax"), POLICY.logs, state))
    disk.fill()
    async with folder.running() as log:
        receipt = await log.append(KIND, transition(), "key")
        assert verify_receipt(receipt, POLICY).index == 1
        assert folder.witnesses["tax"].witness.known_size() == 0
        disk.make_room()
        await eventually(lambda: folder.witnesses["tax"].witness.known_size() == 2)
