"""The sequencer alone: natural batches, their bound, order, and what it does without a history."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.chain import Chain
from ledger.errors import EntryInvalid, LedgerCorrupt, LedgerStopped, StorageFailed
from ledger.sequencer import BATCH_LIMIT, Recorded, Sequencer
from ledger.storage.interface import Batch, Head
from ledger.storage.sqlite import SqliteStorage
from ledger.witness import utc_now
from tests.support.running_log import KIND, transition
from tests.support.witnessed_log import ORIGIN


class Watched(SqliteStorage):
    """Remembers how large each batch was."""

    batches: list[int]

    def append(self, expected: Head, batch: Batch) -> None:
        self.batches.append(len(batch.records))
        super().append(expected, batch)


@pytest.fixture
def storage(tmp_path: Path) -> Watched:
    opened = Watched(tmp_path / "ledger.db")
    opened.batches = []
    return opened


class History:
    """Stands for the head signer: loads the empty history, or fails as told."""

    def __init__(self) -> None:
        self.loads = 0
        self.failures: list[Exception] = []

    def load(self) -> Chain:
        self.loads += 1
        if self.failures:
            raise self.failures.pop(0)
        return Chain(ORIGIN)


@pytest.fixture
def history() -> History:
    return History()


@pytest.fixture
async def sequencer(storage: Watched, history: History) -> AsyncIterator[Sequencer]:
    executor = ThreadPoolExecutor(1)
    grown: list[int] = []
    yield Sequencer(storage, history.load, utc_now, executor, grown.append)
    executor.shutdown()
    storage.close()


@contextlib.asynccontextmanager
async def working(sequencer: Sequencer) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(sequencer.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_whatever_arrived_meanwhile_is_one_batch_of_at_most_256(sequencer: Sequencer, storage: Watched) -> None:
    adding = [asyncio.create_task(sequencer.add(KIND, transition(number), f"key {number}")) for number in range(600)]
    await asyncio.sleep(0)
    async with working(sequencer):
        recorded = await asyncio.gather(*adding)
    assert recorded == [Recorded(number, existing=False) for number in range(600)]
    assert storage.batches == [BATCH_LIMIT, BATCH_LIMIT, 600 - 2 * BATCH_LIMIT]


async def test_a_single_entry_waits_for_no_others(sequencer: Sequencer, storage: Watched) -> None:
    async with working(sequencer):
        for number in range(3):
            await sequencer.add(KIND, transition(number), f"key {number}")
    assert storage.batches == [1, 1, 1]


async def test_repeats_write_nothing(sequencer: Sequencer, storage: Watched) -> None:
    async with working(sequencer):
        await sequencer.add(KIND, transition(), "key")
        assert await sequencer.add(KIND, transition(), "key") == Recorded(0, existing=True)
    assert storage.batches == [1]


async def test_the_history_is_read_once_and_again_only_after_a_failure(
    sequencer: Sequencer, storage: Watched, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageFailed("the test said so")

    async with working(sequencer) as task:
        for number in range(3):
            await sequencer.add(KIND, transition(number), None)
        assert history.loads == 1
        # What is read again is not what memory says: here, that the log may not go on.
        history.failures = [LedgerCorrupt("the test said so")]
        monkeypatch.setattr(storage, "append", fail)
        with pytest.raises(StorageFailed):
            await sequencer.add(KIND, transition(), None)
        with pytest.raises(LedgerCorrupt):
            await task
    assert history.loads == 2


async def test_a_corrupt_history_ends_the_work_and_those_who_wait_are_told(
    sequencer: Sequencer, history: History
) -> None:
    history.failures = [LedgerCorrupt("the test said so")]
    waiting = asyncio.create_task(sequencer.add(KIND, transition(), "key"))
    await asyncio.sleep(0)
    with pytest.raises(LedgerCorrupt):
        await sequencer.run()
    assert not waiting.done()
    sequencer.refuse_all(LedgerStopped("stopped"))
    with pytest.raises(LedgerStopped):
        await waiting
    assert not sequencer.is_settled


@pytest.mark.parametrize("key", ["", "x" * 129, "a\x00b", "a\nb"], ids=["empty", "long", "zero byte", "line"])
async def test_a_key_that_a_database_could_not_hold_is_refused(sequencer: Sequencer, key: str) -> None:
    with pytest.raises(EntryInvalid, match="key"):
        await sequencer.add(KIND, transition(), key)
