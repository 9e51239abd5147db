"""The period of a report: whole days, months or years of UTC, as ISO 8601 writes them.

An entry belongs to the period in which the ledger recorded it (`ts`), wherever it stands in the log: a clock that was
set back is odd, not forbidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ledger.entry import format_time

_PART = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
FIRST_YEAR, LAST_YEAR = 1970, 9998


@dataclass(frozen=True)
class Period:
    """From `start` up to, and without, `end`; both in the form of an entry's `ts`, which sorts as text."""

    start: str
    end: str

    @classmethod
    def parse(cls, text: str) -> Period:
        """Reads `2026`, `2026-10`, `2026-10-24`, or two of them with a slash between (both belong to the period);
        raises ValueError.
        """
        first, slash, last = text.partition("/")
        start, end = _bounds(first)
        if slash:
            end = _bounds(last)[1]
        if end <= start:
            raise ValueError("the period ends before it begins")
        return cls(format_time(start), format_time(end))

    def holds(self, ts: str) -> bool:
        """Whether an entry recorded at `ts` belongs to it."""
        return self.start <= ts < self.end


def _bounds(text: str) -> tuple[datetime, datetime]:
    """First moment of a year, month or day, and the first moment after it."""
    found = _PART.fullmatch(text)
    if found is None or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise ValueError("a period is a year, month or day, or two of them with a slash between")
    year, month, day = int(found[1]), int(found[2] or 1), int(found[3] or 1)
    start = datetime(year, month, day, tzinfo=UTC)
    if found[3]:
        return start, start + timedelta(days=1)
    if found[2]:
        return start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return start, datetime(year + 1, 1, 1, tzinfo=UTC)
