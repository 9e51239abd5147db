"""Brings intents onto the ledger: append with the record's own key and bytes, then store the receipt (design 3).

Two places for a crash, both harmless: before the append the record is still there and is appended later; after it
the same key gives back the same entry. `recover` finishes what a former process left.

What an erasure's entry says must be true first: the recorder destroys the keys that it is about before it appends it.

A receipt is stored only after it was verified with the gateway's own anchors and its leaf says what was intended: a
ledger that is broken, or is not ours, must not make consents and decisions count here.
"""

from __future__ import annotations

import asyncio

import structlog

from consentgate import canonical
from consentgate.anchors import Anchors
from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store import erasures, records
from gateway.store.sealed_database import SealedDatabase
from ledger.errors import LedgerError, QuorumNotMet
from ledger.receipt import Receipt
from ledger.verify import verify_receipt
from ledger_service.client import LedgerPort

_log = structlog.get_logger("gateway.recorder")

RECOVERY_BATCH = 100
"""Unrecorded entries taken up at a time after a restart."""


class Recorder:
    """The only caller of the ledger's `append` in the gateway."""

    def __init__(self, anchors: Anchors, database: SealedDatabase, ledger: LedgerPort) -> None:
        self._anchors = anchors
        self._database = database
        self._ledger = ledger

    async def record(self, key: str) -> Receipt:
        """Receipt of the intent with this key, from the ledger unless it is stored already.

        Raises LEDGER_UNAVAILABLE, LEDGER_QUORUM or LEDGER_FULL: the intent stays, repeat later.
        """
        intent = await self._database.run(lambda session: records.intent(session, key))
        return intent.receipt if intent.receipt is not None else await self._append(intent)

    async def renew(self, key: str) -> Receipt:
        """A receipt whose checkpoint was cosigned just now: departments refuse one older than their bound.

        The ledger is asked also when the intent is recorded already; the same key gives the same leaf.
        """
        return await self._append(await self._database.run(lambda session: records.intent(session, key)))

    async def _append(self, intent: records.Intent) -> Receipt:
        if intent.kind == erasures.KIND:
            await asyncio.to_thread(erasures.finish, self._database)
        appended = await self._ledger.append(intent.kind, canonical.parse(intent.body, "record"), intent.key)
        receipt = Receipt(appended.leaf, appended.proof)
        self._check(receipt, intent)
        await self._database.run(lambda session: records.mark_recorded(session, intent.key, receipt))
        return receipt

    def _check(self, receipt: Receipt, intent: records.Intent) -> None:
        """Raises LEDGER_QUORUM or LEDGER_INVALID unless the quorum witnessed exactly what was intended."""
        try:
            entry = verify_receipt(receipt, self._anchors.log_policy).entry
        except QuorumNotMet as error:
            raise ConsentgateError(ErrorCode.LEDGER_QUORUM, private=type(error).__name__) from error
        except LedgerError as error:
            raise ConsentgateError(ErrorCode.LEDGER_INVALID, private=type(error).__name__) from error
        if entry.kind != intent.kind or canonical.encode(entry.body) != intent.body:
            raise ConsentgateError(ErrorCode.LEDGER_INVALID, private="the leaf says something else")

    async def recover(self) -> int:
        """Records what a former process intended; returns how many. Stops at the first failure, which it raises.

        In the order of the intents, always: the ledger's order is then the order in which they were made.
        """
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
