"""The disk beneath PostgreSQL's own write-ahead log becomes full while 16 writers append: the server panics, and cannot
recover before there is room. Until then every append has a named error and none is acknowledged; then the server is
started again, and the ledger, whose process never ended, goes on with everything that it ever acknowledged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ledger import log as log_module
from ledger import sequencer
from ledger.errors import LedgerError
from ledger.fsck import fsck
from ledger.log import Log
from ledger.receipt import AppendReceipt
from ledger.second_place import SecondPlace
from ledger.verify import verify_leaves, verify_receipt
from tests.contract.log_storages import POSTGRESQL
from tests.e2e.conftest import TEST_SECONDS
from tests.support.mortal_log import REPEATED
from tests.support.postgresql import PostgresqlServer, new_database, running_postgresql
from tests.support.running_log import KIND, POLICY, LogFolder, transition
from tests.support.small_disk import SmallDisk, small_disk

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TEST_SECONDS)]

WRITERS = 16
MEGABYTES = 12
"""A new server's log has a segment, and soon a few."""
MORE = 100
"""Entries before the disk is full, and after there is room."""
PATIENCE = 60.0
"""Seconds for a server to fall, or to come back."""
QUIET_SECONDS = 0.5


@dataclass
class Writers:
    """Append until they are told to stop; each repeats with the same key until it has its receipt."""

    log: Log
    receipts: dict[str, AppendReceipt] = field(default_factory=dict)
    refused: set[type[LedgerError]] = field(default_factory=set)
    stopping: bool = False

    async def write(self, writer: int) -> None:
        number = 0
        while not self.stopping:
            number += 1
            key = f"{writer} {number}"
            self.receipts[key] = await self._insist(key)

    async def _insist(self, key: str) -> AppendReceipt:
        while True:
            try:
                return await self.log.append(KIND, body_of(key), key)
            except REPEATED as error:  # any other error ends the test
                self.refused.add(type(error))
                await asyncio.sleep(0.02)


def body_of(key: str) -> dict[str, object]:
    writer, number = map(int, key.split())
    return transition(writer * 1_000_000 + number)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "QUORUM_SECONDS", 0.5)
    monkeypatch.setattr(sequencer, "RELOAD_SECONDS", 0.05)


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    """In a folder where PostgreSQL's own user may go."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with small_disk(Path(folder) / "small", MEGABYTES) as mounted:
            yield mounted


@pytest.fixture
def server(disk: SmallDisk) -> Iterator[PostgresqlServer]:
    with running_postgresql(durable=True, wal=disk.path / "wal") as running:
        yield running


async def test_a_full_disk_beneath_postgresqls_own_log(
    tmp_path: Path, disk: SmallDisk, server: PostgresqlServer
) -> None:
    place = new_database(server.url)
    folder = LogFolder(tmp_path)
    folder.open_storage = lambda: POSTGRESQL.open(place)
    async with folder.running() as log:
        writers = Writers(log)
        async with asyncio.TaskGroup() as group:
            for writer in range(WRITERS):
                group.create_task(writers.write(writer))
            await until(lambda: len(writers.receipts) >= MORE)
            # 1. No room: the server falls.
            disk.fill()
            try:
                await until(lambda: not server.is_up())
                assert server.told("PANIC: ")
                assert server.told("No space left on device")
                # 2. Nothing is acknowledged meanwhile but what was on its way to the writers; errors have names.
                await asyncio.sleep(QUIET_SECONDS)
                acknowledged = dict(writers.receipts)
                with pytest.raises(LedgerError):
                    log.check()
                await asyncio.sleep(QUIET_SECONDS)
                assert writers.receipts == acknowledged
                assert writers.refused
            finally:
                disk.make_room()
                await asyncio.to_thread(server.start)
            # 3. Room again: nobody has helped but with that.
            await until(lambda: len(writers.receipts) >= len(acknowledged) + MORE)
            writers.stopping = True
        await until(lambda: is_well(log))
        again = {key: await log.append(KIND, body_of(key), key) for key in acknowledged}
        leaves, note = await log.published.leaves(0, 1_000_000), log.published.current().note
    # 4. All that was acknowledged is there, once, and in its place.
    assert all(receipt.existing and receipt.leaf == acknowledged[key].leaf for key, receipt in again.items())
    assert all(leaves[verify_receipt(each, POLICY).index] == each.leaf for each in writers.receipts.values())
    assert verify_leaves(leaves, note, POLICY).kinds == {"log.opened": 1, KIND: len(writers.receipts)}
    signed = SecondPlace(folder.second_place, POLICY.logs).read()
    assert signed is not None
    with POSTGRESQL.open_audit(place) as audit:
        assert fsck(audit, signed[1]).findings == ()
    print(f"{len(acknowledged)} acknowledged before, {len(writers.receipts)} in all; {writers.refused}")


def is_well(log: Log) -> bool:
    with suppress(LedgerError):
        log.check()
        return True
    return False


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - a server and a file system know nothing of the test
            await asyncio.sleep(0.01)
