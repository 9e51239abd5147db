"""A log that tells two stories from some entry on, both under its true key, in memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.support.witnessed_log import WitnessedLog

OPENED = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
EARLIER, LATER = OPENED + timedelta(hours=1), OPENED + timedelta(hours=2)


@dataclass(frozen=True)
class ForkedLog:
    """`honest` and `other` share their first `common` entries and nothing after."""

    honest: WitnessedLog
    other: WitnessedLog
    common: int


def forked(common: int, honest: int, other: int) -> ForkedLog:
    """Two histories of these lengths."""
    logs = WitnessedLog(OPENED), WitnessedLog(OPENED)
    for log, length, subject in zip(logs, (honest, other), ("5a", "b7"), strict=True):
        for number in range(1, length):
            mark = subject if number >= common else "00"
            log.append("erasure.performed", {"subject": mark * 16}, OPENED + timedelta(seconds=number))
    return ForkedLog(*logs, common)
