"""An entry is not kept waiting by pauses that are meant for a log at rest."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import cast

import pytest

from ledger import log as log_module
from ledger.storage.interface import LogStorage
from ledger.storage.searchable import SearchFilters
from tests.support.running_log import KIND, FaultyStorage, LogFolder, eventually, published_size, transition

LONG = 60.0
"""Whoever waits for a pause of this length fails the test by its own timeout."""


@pytest.fixture
def folder(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path)


async def test_the_first_entry_of_a_log_waits_for_no_pause(folder: LogFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "STORAGE_PAUSE_SECONDS", LONG)
    async with folder.running() as log:
        await log.append(KIND, transition(), "key")
        assert published_size(log) == 2


async def test_a_repeat_waits_for_no_search(folder: LogFolder) -> None:
    """Whoever searches takes all threads that read, for as long as it pleases."""
    begun, end = threading.Semaphore(0), threading.Event()

    class Endless(FaultyStorage):
        def search(self, *_: object) -> list[bytes]:
            begun.release()
            end.wait(LONG)
            return []

    async with folder.running(wrap=lambda storage: cast(LogStorage, Endless(storage))) as log:
        first = await log.append(KIND, transition(), "key")
        searches = [
            asyncio.create_task(log.published.search(SearchFilters(), None, 1)) for _ in range(log_module.READ_THREADS)
        ]
        for _ in searches:
            await asyncio.to_thread(begun.acquire)
        await log.published.after(0)
        try:
            async with asyncio.timeout(3):
                repeats = [await log.append(KIND, transition(), "key") for _ in range(5)]
        finally:
            end.set()
        await asyncio.gather(*searches)
    assert all(again.existing and again.leaf == first.leaf for again in repeats)


async def test_what_strangers_ask_is_read_by_the_threads_for_reading(folder: LogFolder) -> None:
    used: list[str] = []

    class Watched(FaultyStorage):
        def nodes(self, *ids: object) -> object:
            used.append(threading.current_thread().name)
            return self.storage.nodes(*ids)  # type: ignore[arg-type]

    async with folder.running(wrap=lambda storage: cast(LogStorage, Watched(storage))) as log:
        await log.append(KIND, transition(), "key")
        used.clear()
        await log.published.consistency_proof(1, 2)
        await log.published.receipts([1])
        # Witnesses that come late are shown their proofs by others meanwhile.
        assert sum(name.startswith("ledger-read") for name in used) == 2


async def test_an_entry_that_comes_while_a_quiet_head_is_cosigned_waits_for_no_slow_witness(
    folder: LogFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quorum cosigns a refreshed head; one witness more is asked and silent. Meanwhile the entry was stored."""
    monkeypatch.setattr(log_module, "GRACE_SECONDS", LONG)
    monkeypatch.setattr(log_module, "REFRESH_SECONDS", 0.05)
    tax, silent = folder.witnesses["tax"], folder.witnesses["regulator"]
    async with folder.running() as log:
        await log.append(KIND, transition(), "first")
        for witness in (tax, silent):
            witness.gate.clear()
        asked = len(tax.shown)
        await eventually(lambda: len(tax.shown) > asked)  # the same head again
        entry = asyncio.create_task(log.append(KIND, transition(1), "second"))
        await eventually(lambda: folder.stored_size() == 3)
        tax.gate.set()
        await entry
        assert published_size(log) == 3
        silent.gate.set()
