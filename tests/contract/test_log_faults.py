"""Every step of every storage and of the second place, failed-and-lost and failed-but-kept: an entry is there wholly or
not at all, the log goes on from what was kept, and a repeat with the same key tells the caller which it was.

The statements inside a commit: tests/unit/ledger/test_storage_sqlite.py, tests/contract/test_postgres.py. The system
calls beneath them: tests/e2e/test_ledger_faults_syscalls.py.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest

from ledger.errors import HeadConflict, LedgerReadOnly, StorageFailed
from ledger.log import Log
from ledger.storage.interface import Batch, Head, LogStorage
from ledger.verify import verify_leaves, verify_receipt
from tests.support.running_log import KIND, POLICY, FaultyStorage, LogFolder, eventually, published_size, transition

BEFORE_COMMIT = ("find_keys", "append")
WHILE_SIGNING = ("head", "leaves", "nodes")
FATES = ("lose", "keep")


def faulty() -> tuple[Callable[[LogStorage], LogStorage], list[FaultyStorage]]:
    """A wrapper for `running`, and where it leaves the storage it made."""
    made: list[FaultyStorage] = []

    def wrap(storage: LogStorage) -> LogStorage:
        made.append(FaultyStorage(storage))
        return made[0]  # type: ignore[return-value]  # it has all methods, by __getattr__

    return wrap, made


def proven(folder: LogFolder, size: int) -> int:
    """How many times a witness was shown a head of this size."""
    return sum(witness.shown.count(size) for witness in folder.witnesses.values())


async def verified_kinds(log: Log) -> dict[str, int]:
    """How many entries of each kind the whole, verified log has."""
    leaves = await log.published.leaves(0, 1000)
    return dict(verify_leaves(leaves, log.published.current().note, POLICY).kinds)


@pytest.mark.parametrize("step", BEFORE_COMMIT)
async def test_a_commit_that_was_lost_is_repeated(folder: LogFolder, step: str) -> None:
    wrap, made = faulty()
    async with folder.running(wrap=wrap) as log:
        await log.append(KIND, transition(), "before")
        made[0].lose(step)
        with pytest.raises(StorageFailed):
            await log.append(KIND, transition(1), "key")
        assert not (await log.append(KIND, transition(1), "key")).existing
        assert await verified_kinds(log) == {"log.opened": 1, KIND: 2}


async def test_a_commit_that_was_kept_is_found_again(folder: LogFolder) -> None:
    wrap, made = faulty()
    async with folder.running(wrap=wrap) as log:
        await log.append(KIND, transition(), "before")
        made[0].keep("append")
        with pytest.raises(StorageFailed):
            await log.append(KIND, transition(1), "key")
        again = await log.append(KIND, transition(1), "key")
        assert again.existing
        assert verify_receipt(again, POLICY).index == 2
        assert await verified_kinds(log) == {"log.opened": 1, KIND: 2}


async def test_an_entry_that_was_kept_is_published_though_nobody_repeats(folder: LogFolder) -> None:
    wrap, made = faulty()
    async with folder.running(wrap=wrap) as log:
        await log.append(KIND, transition(), "before")
        made[0].keep("append")
        with pytest.raises(StorageFailed):
            await log.append(KIND, transition(1), "key")
        await eventually(lambda: published_size(log) == 3)


async def test_all_entries_of_a_failed_batch_share_its_fate(folder: LogFolder) -> None:
    wrap, made = faulty()
    async with folder.running(wrap=wrap) as log:
        await log.append(KIND, transition(), "before")
        made[0].lose("append")
        work = [log.append(KIND, transition(number), f"key {number}") for number in range(5)]
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        assert all(isinstance(outcome, StorageFailed) for outcome in outcomes)
        assert await verified_kinds(log) == {"log.opened": 1, KIND: 1}


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("step", WHILE_SIGNING)
async def test_a_storage_that_fails_while_a_head_is_signed_only_delays(folder: LogFolder, step: str, fate: str) -> None:
    wrap, made = faulty()
    async with folder.running(wrap=wrap) as log:
        await log.append(KIND, transition(), "before")
        getattr(made[0], fate)(step)
        receipt = await log.append(KIND, transition(1), "key")
        assert verify_receipt(receipt, POLICY).index == 2


@pytest.mark.parametrize("kept", [False, True])
async def test_a_checkpoint_that_is_not_kept_for_offline_readers_harms_nobody(folder: LogFolder, kept: bool) -> None:
    wrap, made = faulty()
    async with folder.running(wrap=wrap) as log:
        await log.append(KIND, transition(), "before")
        await eventually(lambda: made[0].storage.checkpoint() is not None)
        (made[0].keep if kept else made[0].lose)("put_checkpoint")
        await log.append(KIND, transition(1), "key")
        await log.append(KIND, transition(2), "after")
        await eventually(lambda: b"\n4\n" in (made[0].storage.checkpoint() or b""))


async def test_health_says_so_until_the_history_was_read_again(folder: LogFolder) -> None:
    wrap, made = faulty()
    async with folder.running(wrap=wrap) as log:
        await log.append(KIND, transition(), "before")
        log.check()
        made[0].lose("append")
        made[0].lose("head", 1000)
        with pytest.raises(StorageFailed):
            await log.append(KIND, transition(1), "key")
        with pytest.raises(StorageFailed):
            log.check()
        made[0].lose("head", 0)
        assert not (await log.append(KIND, transition(1), "other key")).existing
        log.check()


async def test_a_log_whose_storage_fails_at_the_start_opens_later(folder: LogFolder) -> None:
    wrap, made = faulty()
    async with folder.running(wrap=wrap) as log:
        made[0].lose("head", 2)
        await log.append(KIND, transition(), "key")
        assert await verified_kinds(log) == {"log.opened": 1, KIND: 1}


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
async def test_no_signature_leaves_before_the_second_place_is_durable(
    folder: LogFolder, monkeypatch: pytest.MonkeyPatch, call: str, kept: bool
) -> None:
    async with folder.running() as log:
        await log.append(KIND, transition(), "before")
        await eventually(lambda: all(local.witness.known_size() == 2 for local in folder.witnesses.values()))
        true_call, failed_after_askings = getattr(os, call), []

        def fail_twice(*arguments: object) -> object:
            # The witnesses keep their state by the same calls, but only once this one has succeeded.
            if len(failed_after_askings) < 2:
                if kept:
                    true_call(*arguments)
                failed_after_askings.append(proven(folder, 3))
                raise OSError(5, "Input/output error")
            return true_call(*arguments)

        monkeypatch.setattr(os, call, fail_twice)
        receipt = await log.append(KIND, transition(1), "key")
    assert failed_after_askings == [0, 0]
    assert proven(folder, 3) >= 3
    assert verify_receipt(receipt, POLICY).index == 2
    async with folder.running() as log:
        await eventually(lambda: published_size(log) == 3)
        assert await verified_kinds(log) == {"log.opened": 1, KIND: 2}


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename"])
async def test_a_second_place_that_cannot_be_made_delays_a_new_log(
    folder: LogFolder, monkeypatch: pytest.MonkeyPatch, call: str, fate: str
) -> None:
    """Until the log's very first head has its second place, nobody sees a signature."""
    true_call, true_open, failures, is_open = getattr(os, call), folder.open_storage, 2, False

    def open_storage() -> LogStorage:
        nonlocal is_open
        storage = true_open()
        is_open = True
        return storage

    def fail_twice(*arguments: object) -> object:
        nonlocal failures
        if failures and is_open and not folder.witnesses["tax"].shown:
            failures -= 1
            if fate == "keep":
                true_call(*arguments)
            raise OSError(5, "Input/output error")
        return true_call(*arguments)

    folder.open_storage = open_storage
    monkeypatch.setattr(os, call, fail_twice)
    async with folder.running() as log:
        receipt = await log.append(KIND, transition(), "key")
        assert await verified_kinds(log) == {"log.opened": 1, KIND: 1}
    assert failures == (1 if (call, fate) == ("rename", "keep") else 0)  # the file is there then, and whole
    assert verify_receipt(receipt, POLICY).index == 1
    async with folder.running() as log:
        assert (await log.append(KIND, transition(), "key")).leaf == receipt.leaf


async def test_of_two_sequencers_the_second_is_fenced_off_and_becomes_read_only(folder: LogFolder) -> None:
    class Raced(FaultyStorage):
        """Another process (one that ignores the lock file) wrote since this one read the head."""

        def append(self, expected: Head, batch: Batch) -> None:
            if expected.size == 2:
                self.storage.append(expected, Batch(batch.records, batch.nodes, batch.head))
            self.storage.append(expected, batch)

    async with folder.running(wrap=Raced) as log:  # type: ignore[arg-type,return-value]
        await log.append(KIND, transition(), "before")
        with pytest.raises(HeadConflict):
            await log.append(KIND, transition(1), "key")
        with pytest.raises(HeadConflict):
            log.check()
        with pytest.raises(HeadConflict):
            await log.append(KIND, transition(2), "after")
        assert len(await log.published.leaves(0, 10)) == 2


def test_read_only_errors_are_told_apart_from_passing_ones() -> None:
    assert not issubclass(StorageFailed, LedgerReadOnly)
