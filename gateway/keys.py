"""Registration of the Paillier keys under which banks receive scores.

The proof is checked here once and cached by `consentgate.evidence`; departments and bank check it again themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from consentgate import canonical, evidence
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.identity import SpiffeId
from gateway.recorder import Recorder
from gateway.store import keys as store
from gateway.store import records
from ledger.receipt import Receipt


class RecipientKeys:
    """Registers keys; `verify_key_registration` decides what is one."""

    def __init__(self, anchors: Anchors, database: Database, recorder: Recorder, clock: Callable[[], datetime]) -> None:
        self._anchors = anchors
        self._database = database
        self._recorder = recorder
        self._clock = clock

    async def register(self, registration_jws: bytes, caller: SpiffeId) -> tuple[str, Receipt]:
        """Key id and receipt; a repeat of the same statement returns the same leaf's receipt."""
        # A tenth of a second of arithmetic at 3072 bits: in a thread, so that other calls are answered meanwhile.
        key = await asyncio.to_thread(
            evidence.verify_key_registration, registration_jws, self._anchors, self._clock(), caller
        )
        record_key = await self._database.run(
            lambda session: self._intend(session, key.key_id, registration_jws, caller)
        )
        return key.key_id, await self._recorder.record(record_key)

    def _intend(self, session: Session, key_id: str, registration_jws: bytes, bank: SpiffeId) -> str:
        digest = canonical.digest(registration_jws)
        known = store.record_key_of(session, str(bank), key_id, digest)
        if known is not None:
            return known
        record_key = f"key:{digest}"
        body = {"key_id": key_id, "institution": bank.id, "digest": digest}
        record = records.intend(session, record_key, "key.registered", body, self._clock())
        store.add(session, str(bank), key_id, digest, registration_jws, record)
        return record_key
