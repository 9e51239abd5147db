"""The comparison as a picture: bars on a logarithmic axis, one group per operation. Plain SVG, no library."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from benchmarks.paillier.report import short

COLOURS = {"phe": "#b0b7c3", "heu": "#7f9bd1", "pypaillier": "#d9a05b", "ours": "#1f8a70"}
TITLES = {
    "encrypt": "encrypt one value",
    "decrypt": "decrypt one value",
    "dot": "score: 40 columns",
    "portfolio": "whole path, per company",
}
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 760, 190, 90, 16, 18, 56


def draw(milliseconds: Mapping[str, Mapping[str, float]], subtitle: str) -> str:
    """An SVG of milliseconds per operation and side; shorter is better."""
    values = [value for sides in milliseconds.values() for value in sides.values()]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    height = TOP + sum(len(sides) * BAR + GAP for sides in milliseconds.values()) + 30
    parts = [_head(height, subtitle), _grid(low, high, height)]
    y = TOP
    for what, sides in milliseconds.items():
        middle = y + len(sides) * BAR / 2 + 4
        parts.append(f'<text x="{LEFT - 12}" y="{middle:.0f}" text-anchor="end">{escape(TITLES[what])}</text>')
        for side in sorted(sides, key=lambda name: -sides[name]):
            parts.append(_bar(side, sides[side], y, low, high))
            y += BAR
        y += GAP
    return "\n".join([*parts, "</svg>\n"])


def _x(value: float, low: int, high: int) -> float:
    return LEFT + (math.log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _head(height: int, subtitle: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        '<text x="16" y="22" font-size="15" font-weight="bold">Paillier: milliseconds, logarithmic, '
        "shorter is better</text>\n"
        f'<text x="16" y="40" fill="#555">{escape(subtitle)}</text>'
    )


def _grid(low: int, high: int, height: int) -> str:
    lines = []
    for power in range(low, high + 1):
        x = _x(10.0**power, low, high)
        lines.append(f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - 24}" stroke="#e3e6ea"/>')
        lines.append(f'<text x="{x:.1f}" y="{height - 8}" text-anchor="middle" fill="#555">{10.0**power:g} ms</text>')
    return "\n".join(lines)


def _bar(side: str, value: float, y: int, low: int, high: int) -> str:
    end = _x(value, low, high)
    label = "Consentgate" if side == "ours" else side
    weight = ' font-weight="bold"' if side == "ours" else ""
    return (
        f'<rect x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="{BAR - 2}" fill="{COLOURS[side]}"/>\n'
        f'<text x="{end + 5:.1f}" y="{y + BAR - 5}" font-size="11"{weight}>{label} {short(value)}</text>'
    )
