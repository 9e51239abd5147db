"""How often a consent may be used: calendar units of UTC, decided by the decision's time (docs/wire.md, section 5.2).

Pure rules. Uses are counted per version, as the gateway counts them: a new version is a new word of the company.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import ConsentClaims

LONGER_THAN_A_MONTH = timedelta(days=32)


@dataclass(frozen=True)
class Uses:
    """Uses of one version so far: in the calendar unit in question, and altogether."""

    in_unit: int
    total: int


@dataclass(frozen=True)
class CalendarUnit:
    """`start` ≤ moment < `end`, in seconds since 1970."""

    start: int
    end: int


def calendar_unit(moment: datetime, per: str) -> CalendarUnit:
    """The hour, day, month or year of UTC that contains `moment`."""
    start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if per == "HOUR":
        end = start + timedelta(hours=1)
    elif per == "DAY":
        start = start.replace(hour=0)
        end = start + timedelta(days=1)
    elif per == "MONTH":
        start = start.replace(hour=0, day=1)
        end = (start + LONGER_THAN_A_MONTH).replace(day=1)
    else:
        start = start.replace(hour=0, day=1, month=1)
        end = start.replace(year=start.year + 1)
    return CalendarUnit(int(start.timestamp()), int(end.timestamp()))


def check_uses(consent: ConsentClaims, uses: Uses) -> None:
    """Raises CONSENT_FREQUENCY when one more use would exceed the frequency or the total."""
    if uses.total >= consent.total_uses:
        raise ConsentgateError(ErrorCode.CONSENT_FREQUENCY, field="consent_jws.total_uses")
    if uses.in_unit >= consent.frequency.count:
        raise ConsentgateError(ErrorCode.CONSENT_FREQUENCY, field="consent_jws.frequency")
