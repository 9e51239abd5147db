"""What the gateway does on its own: finish erasures and intents, declare its policy, delete outputs in time, note
expired consents.

One loop, one round a minute. A failing task is logged and never stops the others; after a failure the next round comes
sooner, since a ledger that starts beside the gateway is there in a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from consentgate.error_status import translate
from gateway.consents import Consents
from gateway.recorder import Recorder
from gateway.store import erasures, records, requests
from gateway.store.models import PolicyRow
from gateway.store.sealed_database import SealedDatabase
from ledger.entry import ZERO_HASH

ROUND_SECONDS = 60.0
"""Outputs outlive their 24 hours by at most this long."""
RETRY_SECONDS = 3.0
"""Until the next round when something failed."""
DELETION_BATCH = 500
"""Outputs deleted in one transaction."""

_log = structlog.get_logger("gateway.upkeep")


class Upkeep:
    """Background duties; `run` until cancelled."""

    def __init__(
        self,
        database: SealedDatabase,
        recorder: Recorder,
        consents: Consents,
        policy_digest: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._consents = consents
        self._policy_digest = policy_digest
        self._clock = clock

    async def run(self) -> None:
        """Rounds for ever."""
        while True:
            well = await self.round()
            await asyncio.sleep(ROUND_SECONDS if well else RETRY_SECONDS)

    async def round(self) -> bool:
        """Every task once; True when none failed. What a former process intended comes before anything new."""
        tasks = (
            self.finish_erasures,
            self._recorder.recover,
            self.declare_policy,
            self.delete_outputs,
            self._consents.expire_due,
        )
        return all([await _attempt(task) for task in tasks])

    async def finish_erasures(self) -> int:
        """Destroys data keys that an interrupted erasure left, or a restored key database brought back."""
        return await asyncio.to_thread(erasures.finish, self._database)

    async def delete_outputs(self) -> int:
        """Deletes outputs and answers older than their life; returns how many."""
        now, total = self._clock(), 0
        while True:
            deleted = await self._database.run(lambda session: requests.delete_expired(session, now, DELETION_BATCH))
            total += deleted
            if deleted < DELETION_BATCH:
                return total

    async def declare_policy(self) -> int:
        """Puts `policy.changed` on the ledger when the bundle is not the one in force before; returns how many."""
        key = await self._database.run(self._intend_policy)
        if key is None:
            return 0
        await self._recorder.record(key)
        return 1

    def _intend_policy(self, session: Session) -> str | None:
        digest = self._policy_digest
        last = session.execute(select(PolicyRow).order_by(PolicyRow.id.desc()).limit(1)).scalar_one_or_none()
        if last is not None and last.digest == digest:
            return None if last.record.recorded else last.record.key
        previous = ZERO_HASH if last is None else last.digest
        key = f"policy:{0 if last is None else last.id}:{digest}"
        body = {"policy": digest, "previous": previous}
        record = records.intend(session, key, "policy.changed", body, self._clock())
        session.add(PolicyRow(digest=digest, record_id=record.id))
        return key


async def _attempt(task: Callable[[], Awaitable[int]]) -> bool:
    try:
        await task()
    except Exception as error:  # whatever it was, requests are answered and the other tasks run
        _log.warning("upkeep failed", task=task.__name__, code=str(translate(error).code))
        return False
    return True
