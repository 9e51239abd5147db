"""A department's tail over a log that a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from consentgate.database import Database
from department_adapter.projection import ConsentState
from department_adapter.refused import RefusedHistory
from department_adapter.state import tail as store
from department_adapter.tail import Tail
from ledger.refused import Refusals
from tests.support.federation import NOW, Federation
from tests.support.witnessed_log import WitnessedLog
from tests.unit.department_adapter.ledger_entries import CONSENT, LogFeed


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Setting:
    """A tail over a log that a test writes."""

    def __init__(self, federation: Federation, state: Database, folder: Path) -> None:
        self.log = WitnessedLog(NOW - timedelta(minutes=10))
        self.clock = Clock()
        self.feed = LogFeed(self.log, self.clock)
        self.state = state
        self.federation = federation
        self.refusals = Refusals(folder / "state.refused")
        self.refused = RefusedHistory(self.refusals, federation.anchors.log_policy, "department tax", self.clock)
        self.tail = self.make()

    def make(self, patience: float = 3.0) -> Tail:
        waits = timedelta(seconds=patience)
        return Tail(self.feed, self.state, self.federation.anchors, self.clock, waits, self.refused)

    def append(self, *entries: tuple[str, dict[str, object]], at: datetime = NOW) -> None:
        for kind, body in entries:
            self.log.append(kind, body, at)

    def state_of(self, consent_id: str = CONSENT) -> ConsentState | None:
        fact = self.state.transact(lambda session: store.consent_of(session, consent_id))
        return None if fact is None else fact.state

    def running(self) -> AbstractAsyncContextManager[None]:
        return running(self.tail)


@asynccontextmanager
async def running(tail: Tail) -> AsyncIterator[None]:
    task = asyncio.create_task(tail.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.005)
