"""Asks the timestamp authority by itself: `every_hours` of a ledger's table `timestamps`.

Runs in the process that writes the log and does what `ledger anchor --config` does: the newest cosigned checkpoint goes
to the authority, the verified token into the folder, where `ledger_service.timestamp_recorder` finds it. When the last
token was given is read from that token, so a restart asks no earlier and no later; a token that does not verify counts
for nothing. An authority that is silent or answers wrongly never holds up the log: a warning, and another try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.x509 import Certificate

from consentgate.errors import ConsentgateError, ErrorCode
from ledger.errors import KeyInvalid, LedgerError
from ledger.published import Publication, Published
from ledger.timestamp import read_roots, verify_token
from ledger.timestamp_files import Timestamped, has_timestamp, read_timestamps, write_timestamp
from ledger_service.config import TimestampsTable
from ledger_service.rounds import repeat
from ledger_service.timestamp_authority import timestamp

LOOK_SECONDS = 300.0
"""Between two looks at what is due, and between two tries."""


def read_authority_roots(path: Path) -> tuple[Certificate, ...]:
    """Certificates that vouch for the authority; raises CONFIG_INVALID."""
    try:
        return read_roots(path.read_bytes())
    except (OSError, KeyInvalid) as error:
        raise ConsentgateError(ErrorCode.CONFIG_INVALID, field="timestamps.roots") from error


class TimestampRequester:
    """Asks for one log."""

    def __init__(
        self,
        published: Published,
        table: TimestampsTable,
        look_seconds: float = LOOK_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Raises CONFIG_INVALID when the certificates of `table` cannot be read."""
        self._published, self._table = published, table
        self._roots: Sequence[Certificate] = read_authority_roots(table.roots)
        self._look_seconds, self._clock = look_seconds, clock

    async def run(self) -> None:
        """Works until cancelled; ends at once where nobody wants it, with `every_hours` 0."""
        if self._table.every_hours:
            await repeat(self._look, self._look_seconds, "no timestamp was given")

    async def _look(self) -> None:
        if self._published.newest is not None:
            await asyncio.to_thread(self._ask_if_due, self._published.newest)

    def _ask_if_due(self, newest: Publication) -> None:
        table, size = self._table, newest.checkpoint.size
        if has_timestamp(table.folder, size) or not self._is_due():
            return
        token = timestamp(newest.note, table.url, self._roots)
        write_timestamp(table.folder, size, Timestamped(newest.note, token))

    def _is_due(self) -> bool:
        """Whether no good token is younger than `every_hours`."""
        pairs = read_timestamps(self._table.folder)
        since = self._clock() - timedelta(hours=self._table.every_hours)
        return not pairs or not self._given_after(pairs[-1], since)

    def _given_after(self, pair: Timestamped, moment: datetime) -> bool:
        try:
            return verify_token(pair.token, pair.note, self._roots) > moment
        except LedgerError:
            return False
