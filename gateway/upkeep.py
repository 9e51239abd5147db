"""What the gateway does on its own: finish intents, delete outputs in time, note expired consents, declare policy.

One loop, one round a minute. A failing task is logged and tried again in the next round; it never stops the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from consentgate.errors import ConsentgateError
from gateway.consents import Consents
from gateway.recorder import Recorder
from gateway.store import records, requests
from gateway.store.database import Database
from gateway.store.models import PolicyRow
from ledger.entry import ZERO_HASH

ROUND_SECONDS = 60.0
"""Outputs outlive their 24 hours by at most this long."""
DELETION_BATCH = 500
"""Outputs deleted in one transaction."""

_log = structlog.get_logger("gateway.upkeep")


class Upkeep:
    """Background duties; `run` until cancelled."""

    def __init__(
        self, database: Database, recorder: Recorder, consents: Consents, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._consents = consents
        self._clock = clock

    async def run(self) -> None:
        """Rounds for ever."""
        while True:
            for task in (self._recorder.recover, self.delete_outputs, self._consents.expire_due):
                await _attempt(task)
            await asyncio.sleep(ROUND_SECONDS)

    async def delete_outputs(self) -> int:
        """Deletes outputs and answers older than their life; returns how many."""
        now, total = self._clock(), 0
        while True:
            deleted = await self._database.run(lambda session: requests.delete_expired(session, now, DELETION_BATCH))
            total += deleted
            if deleted < DELETION_BATCH:
                return total

    async def declare_policy(self, digest: str) -> None:
        """Puts `policy.changed` on the ledger when the bundle is not the one in force before."""
        key = await self._database.run(lambda session: self._intend_policy(session, digest))
        if key is not None:
            await self._recorder.record(key)

    def _intend_policy(self, session: Session, digest: str) -> str | None:
        last = session.execute(select(PolicyRow).order_by(PolicyRow.id.desc()).limit(1)).scalar_one_or_none()
        if last is not None and last.digest == digest:
            return None if last.record.recorded else last.record.key
        previous = ZERO_HASH if last is None else last.digest
        key = f"policy:{0 if last is None else last.id}:{digest}"
        body = {"policy": digest, "previous": previous}
        record = records.intend(session, key, "policy.changed", body, self._clock())
        session.add(PolicyRow(digest=digest, record_id=record.id))
        return key


async def _attempt(task: Callable[[], Awaitable[int]]) -> None:
    try:
        await task()
    except ConsentgateError as error:
        _log.warning("upkeep failed", task=task.__name__, code=str(error.code))
