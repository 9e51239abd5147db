"""Bar charts as SVG: standing for time, lying for names. Numbers in, text out; no library, no script.

Each has a title and a description for those who hear it, and its numbers stand in a table beside it
(`ledger_service.report.page`). Denials differ from allowances by hatching too, so a black-and-white print tells them
apart. Each is whole in itself: it looks the same when it is taken out of the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count

WIDTH = 720
PLOT_HEIGHT = 200
LEFT, TOP, BOTTOM, RIGHT = 56, 30, 34, 12
"""Units around the plot of a standing chart."""
ROW, THICK, LABELS, NUMBERS = 24, 14, 200, 96
"""A lying chart: height of a row and of its bar, width for names on the left and for numbers on the right."""
MAX_TICKS = 5
MAX_DATES = 8
"""Labels that fit under a standing chart."""
GAP = 0.25
"""Part of a standing bar's place that stays empty."""
MAX_BAR = 56
"""Units: a single day shall not fill the plot."""
SOLID, HATCHED, GRID, INK = "#1f6f8b", "#b5402f", "#d8dee4", "#424a53"
DENIED = "denied"
"""The series that is hatched."""
LETTERS = 28
"""Characters of a name that fit on the left."""


@dataclass(frozen=True)
class Bar:
    """One bar: a number for each series of its chart."""

    label: str
    values: tuple[int, ...]

    @property
    def total(self) -> int:
        """Its length."""
        return sum(self.values)


@dataclass(frozen=True)
class Chart:
    """What a chart says. `key` is its id on the page."""

    key: str
    title: str
    description: str
    series: tuple[str, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class _Segment:
    """The part of a bar that belongs to one series."""

    fill: str
    start: int
    length: int
    told: str

    def rect(self, x: float, y: float, width: float, height: float) -> str:
        """Drawn; whoever points at it sees the number."""
        box = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        return f'<rect fill="{self.fill}" {box}><title>{escape(self.told)}</title></rect>'


def standing(chart: Chart) -> str:
    """Bars from left to right, for time."""
    ticks = nice_ticks(max(bar.total for bar in chart.bars))
    scale, base = PLOT_HEIGHT / ticks[-1], TOP + PLOT_HEIGHT
    place = (WIDTH - LEFT - RIGHT) / len(chart.bars)
    every, wide = -(-len(chart.bars) // MAX_DATES), min(place * (1 - GAP), MAX_BAR)
    parts = [*_legend(chart), *_grid(ticks, scale)]
    for number, bar in enumerate(chart.bars):
        x = LEFT + number * place
        for part in _segments(chart, bar):
            high = part.length * scale
            parts.append(part.rect(x + (place - wide) / 2, base - part.start * scale - high, wide, high))
        if number % every == 0:
            parts.append(_text(x + place / 2, base + 20, bar.label, "middle"))
    return _svg(chart, base + BOTTOM, parts)


def lying(chart: Chart) -> str:
    """Bars from top to bottom, for names."""
    scale = (WIDTH - LABELS - NUMBERS) / max(1, *(bar.total for bar in chart.bars))
    parts = list(_legend(chart))
    for number, bar in enumerate(chart.bars):
        y = TOP + number * ROW
        parts.append(_text(LABELS - 8, y + THICK - 3, _short(bar.label), "end"))
        for part in _segments(chart, bar):
            parts.append(part.rect(LABELS + part.start * scale, y, part.length * scale, THICK))
        parts.append(_text(LABELS + bar.total * scale + 6, y + THICK - 3, f"{bar.total:,}", "start"))
    return _svg(chart, TOP + len(chart.bars) * ROW + 8, parts)


def nice_ticks(top: int) -> list[int]:
    """From 0 in equal steps of 1, 2 or 5 times a power of ten, at most MAX_TICKS of them, to the first that reaches
    `top`, and at least to 1.
    """
    reached = max(top, 1)
    steps = (factor * 10**power for power in count() for factor in (1, 2, 5))
    step = next(step for step in steps if step * (MAX_TICKS - 1) >= reached)
    return [number * step for number in range(-(-reached // step) + 1)]


def _segments(chart: Chart, bar: Bar) -> Iterator[_Segment]:
    start = 0
    for series, value in zip(chart.series, bar.values, strict=True):
        if value:
            yield _Segment(_fill(chart, series), start, value, f"{bar.label}: {value:,} {series}")
        start += value


def _fill(chart: Chart, series: str) -> str:
    return f"url(#{chart.key}-hatched)" if series == DENIED else SOLID


def _hatching(chart: Chart) -> str:
    """The pattern of denials, under an id that is this chart's own."""
    place = f'id="{chart.key}-hatched" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"'
    drawn = f'<rect width="6" height="6" fill="#eab2a8"/><rect width="3.5" height="6" fill="{HATCHED}"/>'
    return f"<defs><pattern {place}>{drawn}</pattern></defs>"


def _grid(ticks: Sequence[int], scale: float) -> Iterator[str]:
    for tick in ticks:
        y = TOP + PLOT_HEIGHT - tick * scale
        yield f'<line stroke="{GRID}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(LEFT - 8, y + 4, f"{tick:,}", "end")


def _legend(chart: Chart) -> Iterator[str]:
    """Only where there is something to tell apart."""
    if len(chart.series) > 1:
        for number, series in enumerate(chart.series):
            x = LEFT + number * 100
            yield f'<rect fill="{_fill(chart, series)}" x="{x}" y="4" width="12" height="12"/>'
            yield _text(x + 18, 14, series, "start")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"


def _svg(chart: Chart, height: int, parts: Sequence[str]) -> str:
    look = f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{chart.key}-t {chart.key}-d" {look} '
    head += f'viewBox="0 0 {WIDTH} {height}">'
    told = f'<title id="{chart.key}-t">{escape(chart.title)}</title>'
    told += f'<desc id="{chart.key}-d">{escape(chart.description)}</desc>'
    return "\n".join([head + told + _hatching(chart), *parts, "</svg>"])
