"""Banks' keys made ready before anybody asks: after a restart, those that were used last.

Checking a key's proof takes 0.1 s and its first tables as much again, which the first question after a restart would
wait for. The state database keeps the signed registrations themselves, not the verdict that they are good: each is
verified again, with this moment's anchors and certificates, and one that does not hold any more is forgotten. What
comes out only fills the caches of `consentgate.evidence` and `department_adapter.encryption`; every request is judged
as if nothing had been remembered.

Left out: keys that nobody has asked under yet. The ledger's `key.registered` holds their digest, not the key itself,
which comes with the first evidence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from consentgate import evidence
from consentgate.anchors import Anchors
from consentgate.database import Database
from consentgate.errors import ConsentgateError
from consentgate.identity import SpiffeId
from department_adapter.encryption import Encryption
from department_adapter.state import recipient_keys as store
from department_adapter.state.recipient_keys import Registration
from paillier.public_key import PublicKey

_log = structlog.get_logger("department_adapter.recipient_keys")


class RecipientKeys:
    """Verifies and prepares what is remembered; `keep_ready` is to run in the background."""

    def __init__(
        self, anchors: Anchors, database: Database, encryption: Encryption, clock: Callable[[], datetime]
    ) -> None:
        self._anchors = anchors
        self._database = database
        self._encryption = encryption
        self._clock = clock

    async def keep_ready(self) -> None:
        """What is remembered first, then whatever is asked for; never ends."""
        try:
            await self.recall()
        except ConsentgateError as error:
            _log.warning("remembered keys not read", code=str(error.code))
        await self._encryption.keep_ready()

    async def recall(self) -> None:
        """Verifies and prepares every remembered key; raises STORE_UNAVAILABLE."""
        for registration in await self._database.run(store.remembered):
            try:
                key = await asyncio.to_thread(self._verify, registration)
            except ConsentgateError as error:
                _log.info("remembered key does not hold any more", code=str(error.code))
                await self._forget(registration)
            else:
                self._encryption.prepare(key)

    def _verify(self, registration: Registration) -> PublicKey:
        bank = SpiffeId.parse(registration.bank)
        return evidence.verify_key_registration(registration.registration_jws, self._anchors, self._clock(), bank)

    async def _forget(self, registration: Registration) -> None:
        await self._database.run(lambda session: store.forget(session, registration))
