"""Records the ledger's timestamps in the ledger: one `anchor.tsa` for each token in its folder.

`ledger anchor` only writes files, so it needs no access to the running log and no right to append; the process that
writes the log looks into the folder and records what is new. An entry's idempotency key is made of the token, so a
token is recorded once, whatever restarts in between. The note must be this log's; the token itself is verified by
`ledger anchor` before it is kept, and by whoever verifies an export: which authority to trust is the reader's choice.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from ledger.errors import LedgerError
from ledger.log import Log
from ledger.policy import LogPolicy
from ledger.timestamp import token_digest
from ledger.timestamp_files import KIND, Timestamped, read_timestamps

LOOK_SECONDS = 5.0
"""Between two looks into the folder."""

_log = structlog.get_logger("ledger_service.timestamps")


class TimestampRecorder:
    """Looks into one folder for one log."""

    def __init__(self, log: Log, policy: LogPolicy, folder: Path, look_seconds: float = LOOK_SECONDS) -> None:
        self._log, self._policy, self._folder, self._look_seconds = log, policy, folder, look_seconds
        self._recorded: set[str] = set()
        self._warned = False

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            try:
                for pair in await asyncio.to_thread(read_timestamps, self._folder):
                    await self._record(pair)
                self._warned = False
            except LedgerError as error:
                self._warn(error)
            await asyncio.sleep(self._look_seconds)

    async def _record(self, pair: Timestamped) -> None:
        digest = token_digest(pair.token)
        if digest in self._recorded:
            return
        checkpoint = pair.checkpoint(self._policy)
        body = {"size": checkpoint.size, "root": checkpoint.root.hex(), "token": digest}
        await self._log.append(KIND, body, f"{KIND} {digest}")
        self._recorded.add(digest)

    def _warn(self, error: LedgerError) -> None:
        """Once for each trouble: the next look tries again."""
        if not self._warned:
            _log.warning("timestamp is not recorded", code=type(error).__name__, detail=str(error))
        self._warned = True
