"""Officers read on the record: every search, and every leaf they fetch, becomes an `access.read` entry first.

The entry names the officer, how many leaves were returned, and a commitment to the question. The question itself would
tell all readers of the log whom somebody is looking at, so its commitment is salted: under a secret of the log's
operator and the entry's own idempotency key, which only the storage knows. The operator can therefore confirm later
what was asked, and nobody else can guess it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from secrets import token_hex

from ledger.commitment import commit
from ledger.entry import canonical_json
from ledger.log import Log
from ledger.note import Signer

KIND = "access.read"
_PURPOSE = b"consentgate access.read salt v1"


class AccessRecord:
    """Writes the entries."""

    def __init__(self, log: Log, signer: Signer) -> None:
        self._log = log
        self._secret = hmac.new(signer.private.private_bytes_raw(), _PURPOSE, hashlib.sha256).digest()

    async def record(self, officer: str, question: Mapping[str, object], returned: int) -> None:
        """Returns once the entry is witnessed; raises as `Log.append`, and then nothing may be shown."""
        key = f"{KIND} {token_hex(16)}"
        body = {"officer": officer, "query": self.commitment(key, question), "returned": returned}
        await self._log.append(KIND, body, key)

    def commitment(self, key: str, question: Mapping[str, object]) -> str:
        """What the entry with this idempotency key says of this question."""
        salt = hmac.new(self._secret, key.encode(), hashlib.sha256).digest()
        return commit("query", canonical_json(dict(question)), salt)
