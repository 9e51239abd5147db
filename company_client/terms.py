"""Terms of a consent as a person types them: `4/MONTH`, `2025-01..2026-12`, `2026-11-24`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal, cast

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import DataRange, Frequency

_FREQUENCY = re.compile(r"([1-9][0-9]{0,6})/(HOUR|DAY|MONTH|YEAR)")
_RANGE = re.compile(r"([0-9]{4}-(?:0[1-9]|1[0-2]))\.\.([0-9]{4}-(?:0[1-9]|1[0-2]))")


def parse_frequency(text: str) -> Frequency:
    """`4/MONTH`; raises INVALID_ARGUMENT_FIELD."""
    match = _FREQUENCY.fullmatch(text)
    if match is None or int(match[1]) > 1_000_000:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--frequency")
    # The pattern admits only these four words.
    per = cast(Literal["HOUR", "DAY", "MONTH", "YEAR"], match[2])
    return Frequency(count=int(match[1]), per=per)


def parse_data_range(text: str) -> DataRange:
    """`2025-01..2026-12`, both included; raises INVALID_ARGUMENT_FIELD."""
    match = _RANGE.fullmatch(text)
    if match is None or match[2] < match[1]:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--data-range")
    return DataRange(first=match[1], last=match[2])


def parse_day(text: str) -> datetime:
    """Midnight UTC of `2026-11-24`; raises INVALID_ARGUMENT_FIELD."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field="--valid-from") from error
