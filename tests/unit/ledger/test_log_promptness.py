"""An entry is not kept waiting by pauses that are meant for a log at rest."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ledger import log as log_module
from tests.support.running_log import KIND, LogFolder, eventually, published_size, transition

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
