"""Records the ledger's timestamps in the ledger: one `anchor.tsa` for each token in its folder.

`ledger anchor` only writes files, so it needs no access to the running log and no right to append; the process that
writes the log looks into the folder and records what is new. An entry's idempotency key is made of the token, so a
token is recorded once, whatever restarts in between. The note must be this log's; the token itself is verified by
`ledger anchor` before it is kept, and by whoever verifies an export: which authority to trust is the reader's choice.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from ledger.log import Log
from ledger.policy import LogPolicy
from ledger.timestamp import token_digest
from ledger.timestamp_files import KIND, Timestamped, read_timestamps
from ledger_service.rounds import repeat

LOOK_SECONDS = 5.0
"""Between two looks into the folder."""


class TimestampRecorder:
    """Looks into one folder for one log."""

    def __init__(self, log: Log, policy: LogPolicy, folder: Path, look_seconds: float = LOOK_SECONDS) -> None:
        self._log, self._policy, self._folder, self._look_seconds = log, policy, folder, look_seconds
        self._recorded: set[str] = set()

    async def run(self) -> None:
        """Works until cancelled."""
        await repeat(self._look, self._look_seconds, "timestamp is not recorded")

    async def _look(self) -> None:
        for pair in await asyncio.to_thread(read_timestamps, self._folder):
            await self._record(pair)

    async def _record(self, pair: Timestamped) -> None:
        digest = token_digest(pair.token)
        if digest in self._recorded:
            return
        checkpoint = pair.checkpoint(self._policy)
        body = {"size": checkpoint.size, "root": checkpoint.root.hex(), "token": digest}
        await self._log.append(KIND, body, f"{KIND} {digest}")
        self._recorded.add(digest)
