"""Periods: whole days, months and years of UTC."""

from __future__ import annotations

import pytest

from ledger_service.report.period import Period

MIDNIGHT = "T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", "2026-01-01", "2027-01-01"),
        ("2026-10", "2026-10-01", "2026-11-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2028-02-29", "2028-02-29", "2028-03-01"),
        ("2026-12-31", "2026-12-31", "2027-01-01"),
        ("2026-01/2026-03", "2026-01-01", "2026-04-01"),
        ("2026-11-24/2026", "2026-11-24", "2027-01-01"),
        ("9998", "9998-01-01", "9999-01-01"),
    ],
)
def test_bounds(text: str, start: str, end: str) -> None:
    assert Period.parse(text) == Period(start + MIDNIGHT, end + MIDNIGHT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "26",
        "2026-13",
        "2026-00",
        "2026-02-29",
        "2026-1",
        "1969",
        "9999",
        "2026-10/",
        "/2026",
        "2026/2025",
        "2026-W01",
    ],
)
def test_what_is_no_period(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the command says what a period is, whatever was wrong
        Period.parse(text)


def test_the_first_moment_belongs_and_the_last_does_not() -> None:
    period = Period.parse("2026-11-24")
    assert period.holds("2026-11-24T00:00:00.000000Z")
    assert period.holds("2026-11-24T23:59:59.999999Z")
    assert not period.holds("2026-11-25T00:00:00.000000Z")
    assert not period.holds("2026-11-23T23:59:59.999999Z")
