"""What a person types: `4/MONTH`, `2025-01..2026-12`, `2026-11-24`, `tax=host:7444`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, cast

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import DataRange, Frequency

_FREQUENCY = re.compile(r"([1-9][0-9]{0,6})/(HOUR|DAY|MONTH|YEAR)")
_RANGE = re.compile(r"([0-9]{4}-(?:0[1-9]|1[0-2]))\.\.([0-9]{4}-(?:0[1-9]|1[0-2]))")

_DEPARTMENT = re.compile(r"([a-z0-9][a-z0-9._-]{0,63})=([^\s/=]+:[0-9]{1,5})")

_FORMS = {
    "--frequency": "COUNT/HOUR, DAY, MONTH or YEAR, at most a million, e.g. 4/MONTH.",
    "--data-range": "First and last month, both included, e.g. 2025-01..2026-12.",
    "--valid-from": "A day, e.g. 2026-11-24.",
    "--ask": "DEPARTMENT=HOST:PORT, each department once, e.g. tax=tax.example:7444.",
}


def _malformed(option: str) -> ConsentgateError:
    return ConsentgateError(ErrorCode.INVALID_ARGUMENT_FIELD, field=option, hint=f"Its form: {_FORMS[option]}")


def parse_frequency(text: str) -> Frequency:
    """`4/MONTH`; raises INVALID_ARGUMENT_FIELD."""
    match = _FREQUENCY.fullmatch(text)
    if match is None or int(match[1]) > 1_000_000:
        raise _malformed("--frequency")
    # The pattern admits only these four words.
    per = cast(Literal["HOUR", "DAY", "MONTH", "YEAR"], match[2])
    return Frequency(count=int(match[1]), per=per)


def parse_data_range(text: str) -> DataRange:
    """`2025-01..2026-12`, both included; raises INVALID_ARGUMENT_FIELD."""
    match = _RANGE.fullmatch(text)
    if match is None or match[2] < match[1]:
        raise _malformed("--data-range")
    return DataRange(first=match[1], last=match[2])


def parse_day(text: str) -> datetime:
    """Midnight UTC of `2026-11-24`; raises INVALID_ARGUMENT_FIELD."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise _malformed("--valid-from") from error


def parse_departments(texts: Sequence[str]) -> dict[str, str]:
    """`tax=host:7444`, department id → address; raises INVALID_ARGUMENT_FIELD."""
    matches = [_DEPARTMENT.fullmatch(text) for text in texts]
    found = {match[1]: match[2] for match in matches if match is not None}
    if len(found) != len(texts):
        raise _malformed("--ask")
    return found
