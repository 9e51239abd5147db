"""Calendar units of UTC, and how a use is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentgate.errors import ConsentgateError, ErrorCode
from department_adapter.uses import Uses, calendar_unit, check_uses
from tests.support.federation import Federation


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "per", "start", "end"),
    [
        ("2026-11-24T04:59:59.999999", "HOUR", "2026-11-24T04:00:00", "2026-11-24T05:00:00"),
        ("2026-11-24T05:00:00", "HOUR", "2026-11-24T05:00:00", "2026-11-24T06:00:00"),
        ("2026-11-24T23:59:59.999999", "DAY", "2026-11-24T00:00:00", "2026-11-25T00:00:00"),
        ("2026-02-28T12:00:00", "MONTH", "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
        ("2028-02-29T12:00:00", "MONTH", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
        ("2026-12-31T23:59:59", "MONTH", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("2026-01-31T00:00:00", "MONTH", "2026-01-01T00:00:00", "2026-02-01T00:00:00"),
        ("2026-12-31T23:59:59", "YEAR", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
    ],
)
def test_units(moment: str, per: str, start: str, end: str) -> None:
    unit = calendar_unit(at(moment), per)
    assert (unit.start, unit.end) == (at(start).timestamp(), at(end).timestamp())


def test_units_are_utc_whatever_the_clock_says() -> None:
    beijing = datetime(2026, 12, 1, 1, 0, tzinfo=timezone(timedelta(hours=8)))
    assert calendar_unit(beijing, "MONTH") == calendar_unit(at("2026-11-30T17:00:00"), "MONTH")


@given(
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    per=st.sampled_from(["HOUR", "DAY", "MONTH", "YEAR"]),
)
def test_every_moment_lies_in_its_unit_and_units_meet(moment: datetime, per: str) -> None:
    unit = calendar_unit(moment, per)
    assert unit.start <= moment.timestamp() < unit.end
    following = calendar_unit(datetime.fromtimestamp(unit.end, UTC), per)
    assert following.start == unit.end
    assert calendar_unit(datetime.fromtimestamp(unit.start, UTC), per) == unit


def test_uses_up_to_the_bounds(federation: Federation) -> None:
    consent = federation.consent_claims(frequency={"count": 2, "per": "DAY"}, total_uses=5)
    check_uses(consent, Uses(in_unit=1, total=4))
    for uses, field in ((Uses(2, 2), "consent_jws.frequency"), (Uses(0, 5), "consent_jws.total_uses")):
        with pytest.raises(ConsentgateError) as caught:
            check_uses(consent, uses)
        assert (caught.value.code, caught.value.field) == (ErrorCode.CONSENT_FREQUENCY, field)
