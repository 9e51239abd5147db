"""A whole log with its witnesses over every storage: lost and kept commits, races, an old backup put back."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.chain import Chain
from ledger.errors import HeadConflict, LedgerReadOnly, LedgerRolledBack, StorageFailed
from ledger.log import Log
from ledger.storage import postgres_connection
from ledger.storage.interface import LogStorage
from ledger.verify import verify_leaves, verify_receipt
from tests.contract.log_storages import SQLITE, StorageKind, unlocked
from tests.support.log_batches import batch_after, head_of, opened
from tests.support.running_log import KIND, POLICY, FaultyStorage, LogFolder, eventually, is_read_only, transition
from tests.support.witnessed_log import ORIGIN

RACED_BATCHES = 12


@pytest.fixture
def faults() -> list[FaultyStorage]:
    """Where `faulty` leaves the storage that it makes."""
    return []


@pytest.fixture
def faulty(faults: list[FaultyStorage]) -> Callable[[LogStorage], LogStorage]:
    def wrap(storage: LogStorage) -> LogStorage:
        faults.append(FaultyStorage(storage))
        return faults[0]  # type: ignore[return-value]  # it has all methods, by __getattr__

    return wrap


async def kinds_of(log: Log) -> dict[str, int]:
    leaves = await log.published.leaves(0, 1000)
    return dict(verify_leaves(leaves, log.published.current().note, POLICY).kinds)


async def test_everybody_gets_a_receipt_and_a_restart_goes_on(folder: LogFolder) -> None:
    async with folder.running() as log:
        receipts = await asyncio.gather(*(log.append(KIND, transition(n), f"key {n}") for n in range(40)))
    assert sorted(verify_receipt(receipt, POLICY).index for receipt in receipts) == list(range(1, 41))
    async with folder.running() as log:
        assert (await log.append(KIND, transition(3), "key 3")).existing
        assert not (await log.append(KIND, transition(40), "key 40")).existing
        assert await kinds_of(log) == {"log.opened": 1, KIND: 41}


@pytest.mark.parametrize("fate", ["lose", "keep"])
async def test_a_failed_commit_is_neither_forgotten_nor_repeated(
    folder: LogFolder, faulty: Callable[[LogStorage], LogStorage], faults: list[FaultyStorage], fate: str
) -> None:
    async with folder.running(wrap=faulty) as log:
        await log.append(KIND, transition(), "before")
        getattr(faults[0], fate)("append")
        with pytest.raises(StorageFailed):
            await log.append(KIND, transition(1), "key")
        again = await log.append(KIND, transition(1), "key")
        assert again.existing is (fate == "keep")
        assert verify_receipt(again, POLICY).index == 2
        assert await kinds_of(log) == {"log.opened": 1, KIND: 2}


async def test_an_old_backup_is_never_signed_over(
    kind: StorageKind, place: str, folder: LogFolder, tmp_path: Path
) -> None:
    async with folder.running() as log:
        await log.append(KIND, transition(), "first")
    with backup(kind, place):
        async with folder.running() as log:
            await log.append(KIND, transition(1), "second")
    async with folder.running() as log:
        await eventually(lambda: is_read_only(log))
        with pytest.raises(LedgerRolledBack):
            await log.append(KIND, transition(2), "third")
        assert len(await log.published.leaves(0, 10)) == 2
    storage = kind.open(place)
    assert storage.head().size == 2
    storage.close()


async def test_an_old_backup_with_a_second_place_as_old_is_stopped_by_the_witnesses(
    kind: StorageKind, place: str, folder: LogFolder
) -> None:
    async with folder.running() as log:
        await log.append(KIND, transition(), "first")
    old_place = folder.second_place.read_bytes()
    with backup(kind, place):
        async with folder.running() as log:
            await log.append(KIND, transition(1), "second")
    folder.second_place.write_bytes(old_place)
    async with folder.running() as log:
        await eventually(lambda: is_read_only(log))
        with pytest.raises(LedgerRolledBack, match="witnesses"):
            await log.append(KIND, transition(2), "third")
    assert folder.stored_size() == 2


def test_a_second_sequencer_is_kept_out(kind: StorageKind, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connection, "LOCK_SECONDS", 1)
    storage = kind.open(place)
    with pytest.raises(StorageFailed, match="another process"):
        kind.open(place)
    storage.close()
    kind.open(place).close()


def test_sequencers_that_race_make_one_history(kind: StorageKind, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the locks that keep them apart: only the compare-and-swap on the head is left."""
    unlocked(monkeypatch)
    storages = [kind.open(place), kind.open(place)]
    start, conflicts, faults = threading.Barrier(2), [0, 0], []

    def sequence(number: int) -> None:
        try:
            race(storages[number], number)
        except Exception as error:
            faults.append(error)

    def race(storage: LogStorage, number: int) -> None:
        chain, written = Chain(ORIGIN), 0
        start.wait()
        while written < RACED_BATCHES:
            batch, grown = batch_after(chain, opened(3, number * 1000 + written * 3))
            try:
                storage.append(head_of(chain), batch)
                chain, written = grown, written + 1
            except HeadConflict:
                conflicts[number] += 1
                chain = chain.extend(storage.leaves(chain.size, storage.head().size))[0]

    threads = [threading.Thread(target=sequence, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sum(conflicts) >= 1  # both began with an empty log
    total = 2 * RACED_BATCHES * 3
    chain, _ = Chain(ORIGIN).extend(storages[0].leaves(0, total + 1))
    assert head_of(chain) == storages[1].head()
    assert chain.size == total == len(storages[0].find_keys([f"key {n + 1000 * k}" for n in range(36) for k in (0, 1)]))
    for storage in storages:
        storage.close()


async def test_of_two_logs_that_race_one_goes_on_and_no_witness_sees_a_fork(
    folder: LogFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two whole processes' worth, on one database and one second place; only the locks are taken away."""
    unlocked(monkeypatch)
    fates: list[object] = []

    async def write(log: Log, name: str) -> None:
        for number in range(20):
            try:
                verify_receipt(await log.append(KIND, transition(number), f"{name} {number}"), POLICY)
            except (HeadConflict, LedgerReadOnly) as error:
                fates.append(type(error))
                return
        fates.append(name)

    async with folder.running() as first:
        await first.append(KIND, transition(), "before")
        async with folder.running() as second:
            await asyncio.gather(write(first, "first"), write(second, "second"))
            winner = first if "first" in fates else second
            # The loser's commit conflicts, or its witnesses have already seen more than it has.
            (lost,) = [fate for fate in fates if isinstance(fate, type)]
            assert len(fates) == 2
            assert issubclass(lost, HeadConflict | LedgerRolledBack)
            kinds = await kinds_of(winner)
    assert 20 < kinds[KIND] <= 40
    for witness in folder.witnesses.values():
        assert not list(folder.path.glob("*.refused*")), "a witness was shown another history"
        assert witness.witness.known_size() <= kinds[KIND] + 1


@contextlib.contextmanager
def backup(kind: StorageKind, place: str) -> Iterator[None]:
    """Afterwards the database is what it was before the block."""
    if kind is SQLITE:
        copy = Path(f"{place}.copy")
        shutil.copy(place, copy)  # closed: there is no write-ahead log
        yield
        for suffix in ("", "-wal", "-shm"):
            Path(f"{place}{suffix}").unlink(missing_ok=True)
        copy.rename(place)
        return
    name = place.partition("@/")[2].partition("?")[0]
    with psycopg.connect(place.replace(f"@/{name}?", "@/postgres?"), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}_copy TEMPLATE {name}")
        yield
        session.execute(f"DROP DATABASE {name}")
        session.execute(f"ALTER DATABASE {name}_copy RENAME TO {name}")
