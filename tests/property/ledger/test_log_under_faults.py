"""Any sequence of appends, repeats, storage faults, restarts and dead witnesses leaves one verifiable history, in which
every acknowledged entry stands once, where its receipt says.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import cosigning, sequencer
from ledger import log as log_module
from ledger.errors import LedgerError
from ledger.log import Log
from ledger.storage.interface import LogStorage
from ledger.verify import verify_leaves, verify_receipt
from tests.support.running_log import KIND, POLICY, FaultyStorage, LogFolder, eventually, published_size, transition

KEYS = [f"key {number}" for number in range(6)]
STEPS = st.one_of(
    st.tuples(st.just("append"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=4)),
    st.tuples(st.just("lose"), st.sampled_from(["append", "find_keys", "head", "leaves", "nodes", "put_checkpoint"])),
    st.tuples(st.just("keep"), st.sampled_from(["append", "put_checkpoint"])),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("witnesses"), st.integers(0, 4)),
)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same behaviour in less time."""
    monkeypatch.setattr(log_module, "QUORUM_SECONDS", 0.2)
    monkeypatch.setattr(log_module, "STORAGE_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(sequencer, "RELOAD_SECONDS", 0.02)
    monkeypatch.setattr(cosigning, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(cosigning, "LONGEST_PAUSE_SECONDS", 0.02)


class House:
    """One log with its witnesses over its whole life."""

    def __init__(self, path: Path) -> None:
        self._folder = LogFolder(path)
        self._stack = AsyncExitStack()
        self._storage: FaultyStorage | None = None
        self._log: Log | None = None
        self.acknowledged: dict[str, bytes] = {}

    async def start(self) -> None:
        self._log = await self._stack.enter_async_context(self._folder.running(wrap=self._wrap))

    async def stop(self) -> None:
        await self._stack.aclose()
        self._stack = AsyncExitStack()

    async def take(self, step: str, argument: object) -> None:
        assert self._storage is not None
        if step == "append":
            assert isinstance(argument, list)
            await asyncio.gather(*(self._append(key) for key in argument))
        elif step == "restart":
            await self.stop()
            await self.start()
        elif step == "witnesses":
            for number, witness in enumerate(self._folder.witnesses.values()):
                witness.dead = number >= int(str(argument))
        else:
            getattr(self._storage, step)(argument)

    async def judge(self) -> None:
        """Everything well again: what does the log hold?"""
        await self.take("witnesses", 4)
        await self.take("restart", None)
        log = self._log
        assert log is not None
        await eventually(lambda: 0 < published_size(log) == self._folder.stored_size())
        leaves = await log.published.leaves(0, 1000)
        verify_leaves(leaves, log.published.current().note, POLICY)
        for key, leaf in self.acknowledged.items():
            again = await log.append(KIND, transition(), key)
            assert (again.existing, again.leaf) == (True, leaf)
            assert leaves.count(leaf) == 1
        await self.stop()

    async def _append(self, key: str) -> None:
        assert self._log is not None
        try:
            receipt = await self._log.append(KIND, transition(KEYS.index(key)), key)
        except LedgerError:
            return
        verify_receipt(receipt, POLICY)
        assert self.acknowledged.setdefault(key, receipt.leaf) == receipt.leaf

    def _wrap(self, storage: LogStorage) -> LogStorage:
        self._storage = FaultyStorage(storage)
        return self._storage  # type: ignore[return-value]  # it has all methods, by __getattr__


@settings(max_examples=30)
@given(steps=st.lists(STEPS, min_size=1, max_size=12))
def test_one_history_with_every_acknowledged_entry(steps: list[tuple[str, object]]) -> None:
    async def live() -> None:
        with tempfile.TemporaryDirectory() as path:
            house = House(Path(path))
            await house.start()
            try:
                for step, argument in steps:
                    await house.take(step, argument)
                await house.judge()
            finally:
                await house.stop()

    asyncio.run(live())
