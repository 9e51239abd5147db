"""Which charts a report has: made from the figures of its summary alone, so that everybody can draw them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from ledger_service.report.charts import Bar, Chart
from ledger_service.report.summary import Bounds, Counts, Decided, Figures
from ledger_service.report.tally import DAY, MONTH

MAX_DAYS = 92
"""A quarter is drawn day by day, anything longer by months, and beyond MAX_MONTHS by years."""
MAX_MONTHS = 60
MAX_YEARS = 100
"""Only a ledger whose clock was wrong has more; its report must still be drawn."""
YEAR, CENTURY = 4, 2
"""Characters of an ISO 8601 time that name the year, and its hundreds."""
MAX_NAMES = 20
"""Bars of a chart of names; the rest is one bar, `others`, and stands in the summary by name."""
OTHERS = "others"
VERDICTS = ("allowed", "denied")


def charts(figures: Figures, period: Bounds | None) -> list[tuple[Chart, bool]]:
    """Every chart that has a bar, and whether its bars stand (time) or lie (names)."""
    return [
        (chart, stands)
        for chart, stands in (
            (decisions_over_time(figures.decisions_by_day, period), True),
            (denials(figures.denials_by_reason), False),
            (by_institution(figures.decisions_by_institution), False),
            (by_purpose(figures.decisions_by_purpose), False),
            (by_category(figures.by_category), False),
        )
        if chart.bars
    ]


def decisions_over_time(days: Mapping[str, Decided], period: Bounds | None) -> Chart:
    """Days, months or years of the period, also those without a decision; else from the first decision to the last."""
    labels, length, unit = _scale(days, period)
    sums = {label: [0, 0] for label in labels}
    for day, decided in days.items():
        sums[day[:length]][0] += decided.allow
        sums[day[:length]][1] += decided.deny
    bars = tuple(Bar(label, (allow, deny)) for label, (allow, deny) in sums.items())
    title = f"Decisions by {unit}"
    return Chart("time", title, _split_text("decision", days.values()), VERDICTS, bars)


def denials(reasons: Counts) -> Chart:
    """Why not."""
    bars = _ranked({reason: (count,) for reason, count in reasons.items()})
    return Chart("reasons", "Reasons for denials", _text("denials", bars), ("denied",), bars)


def by_institution(decided: Mapping[str, Decided]) -> Chart:
    """Who asked."""
    bars = _ranked({name: (found.allow, found.deny) for name, found in decided.items()})
    return Chart("institutions", "Decisions by institution", _split_text("decision", decided.values()), VERDICTS, bars)


def by_purpose(decided: Mapping[str, Decided]) -> Chart:
    """For what."""
    bars = _ranked({name: (found.allow, found.deny) for name, found in decided.items()})
    return Chart("purposes", "Decisions by purpose", _split_text("decision", decided.values()), VERDICTS, bars)


def by_category(counts: Counts) -> Chart:
    """What was consented to: decisions do not name categories."""
    bars = _ranked({name: (count,) for name, count in counts.items()})
    text = "How many consents, counting each version, were granted for each category of data."
    return Chart("categories", "Consents by category of data", text, ("consents",), bars)


def _scale(days: Mapping[str, Decided], period: Bounds | None) -> tuple[list[str], int, str]:
    """Labels of the time axis, their length (of an ISO 8601 date), and what they are; the finest that fits."""
    if not days:
        return [], DAY, "day"
    first, last = date.fromisoformat(min(days)), date.fromisoformat(max(days))
    if period is not None:
        first = date.fromisoformat(period.not_before[:DAY])
        last = date.fromisoformat(period.before[:DAY]) - timedelta(days=1)
    if (last - first).days < MAX_DAYS:
        return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)], DAY, "day"
    months = range(12 * first.year + first.month - 1, 12 * last.year + last.month)
    if len(months) <= MAX_MONTHS:
        return [f"{month // 12:04}-{month % 12 + 1:02}" for month in months], MONTH, "month"
    if last.year - first.year < MAX_YEARS:
        return [f"{year:04}" for year in range(first.year, last.year + 1)], YEAR, "year"
    hundreds = range(first.year // 100, last.year // 100 + 1)
    return [f"{hundred:02}" for hundred in hundreds], CENTURY, "hundred years"


def _ranked(values: Mapping[str, Sequence[int]]) -> tuple[Bar, ...]:
    """The largest first; what does not fit is summed up."""
    bars = sorted(
        (Bar(name, tuple(numbers)) for name, numbers in values.items()), key=lambda bar: (-bar.total, bar.label)
    )
    if len(bars) <= MAX_NAMES:
        return tuple(bars)
    rest = bars[MAX_NAMES - 1 :]
    summed = tuple(map(sum, zip(*(bar.values for bar in rest), strict=True)))
    return (*bars[: MAX_NAMES - 1], Bar(f"{OTHERS} ({len(rest)})", summed))


def _text(what: str, bars: Sequence[Bar]) -> str:
    total = sum(bar.total for bar in bars)
    return f"{total:,} {what}, of which {bars[0].total:,} are {bars[0].label}." if bars else f"No {what}."


def _split_text(what: str, decided: Iterable[Decided]) -> str:
    found = list(decided)
    allow, deny = sum(each.allow for each in found), sum(each.deny for each in found)
    return f"{allow + deny:,} {what}s: {allow:,} allowed, {deny:,} denied."
