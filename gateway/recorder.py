"""Brings intents onto the ledger: append with the record's own key and bytes, then store the receipt (design 3).

Two places for a crash, both harmless: before the append the record is still there and is appended later; after it
the same key gives back the same entry. `recover` finishes what a former process left.
"""

from __future__ import annotations

import structlog
from ledger_service.client import LedgerPort

from consentgate import canonical
from consentgate.errors import ConsentgateError
from gateway.store import records
from gateway.store.database import Database
from ledger.receipt import Receipt

_log = structlog.get_logger("gateway.recorder")

RECOVERY_BATCH = 100
"""Unrecorded entries taken up at a time after a restart."""


class Recorder:
    """The only caller of the ledger's `append` in the gateway."""

    def __init__(self, database: Database, ledger: LedgerPort) -> None:
        self._database = database
        self._ledger = ledger

    async def record(self, key: str) -> Receipt:
        """Receipt of the intent with this key, from the ledger unless it is stored already.

        Raises LEDGER_UNAVAILABLE, LEDGER_QUORUM or LEDGER_FULL: the intent stays, repeat later.
        """
        intent = await self._database.run(lambda session: records.intent(session, key))
        return intent.receipt if intent.receipt is not None else await self.append(intent)

    async def append(self, intent: records.Intent) -> Receipt:
        """Appends, also when it is recorded already: a repeat brings a proof under a fresh checkpoint."""
        body = canonical.parse(intent.body, "record")
        appended = await self._ledger.append(intent.kind, body, intent.key)
        await self._database.run(lambda session: records.mark_recorded(session, intent.key, appended.receipt))
        return appended.receipt

    async def renew(self, key: str) -> Receipt:
        """A receipt whose checkpoint was cosigned just now: departments refuse one older than their bound."""
        return await self.append(await self._database.run(lambda session: records.intent(session, key)))

    async def recover(self) -> int:
        """Records what a former process intended; returns how many. Stops at the first failure, which it raises."""
        done = 0
        while True:
            keys = await self._database.run(lambda session: records.unrecorded(session, RECOVERY_BATCH))
            if not keys:
                return done
            for key in keys:
                try:
                    await self.record(key)
                except ConsentgateError as error:
                    _log.warning("recovery stopped", code=str(error.code), recovered=done)
                    raise
                done += 1
