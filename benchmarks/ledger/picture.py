"""Appends per second as a picture: bars from zero, ours beside others on the same database. Plain SVG, no library."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

BARS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "SQLite",
        (
            ("pymerkle_per_s", "pymerkle"),
            ("naive_per_s_sqlite", "naive"),
            ("receipts_per_s_sqlite", "Consentgate, receipts"),
            ("append_per_s_sqlite", "Consentgate"),
        ),
    ),
    (
        "PostgreSQL",
        (
            ("naive_per_s_postgres", "naive"),
            ("receipts_per_s_postgres", "Consentgate, receipts"),
            ("append_per_s_postgres", "Consentgate"),
        ),
    ),
)
"""Database → figure and label."""
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 760, 110, 210, 18, 18, 60
OURS, PALE, OTHERS = "#1f8a70", "#8cc5b6", "#b0b7c3"


def draw(result: Mapping[str, Any], subtitle: str) -> str:
    """An SVG of the figures that were measured; longer is better."""
    groups = [(title, [bar for bar in bars if result[bar[0]] is not None]) for title, bars in BARS]
    longest = max(result[name] for _, bars in groups for name, _ in bars)
    parts, y = [], TOP
    for title, bars in groups:
        if bars:
            parts.append(
                f'<text x="{LEFT - 12}" y="{y + len(bars) * BAR / 2 + 4:.0f}" text-anchor="end">{title}</text>'
            )
        for name, label in bars:
            parts.append(_bar(label, result[name], y, longest))
            y += BAR
        y += GAP if bars else 0
    return "\n".join([_head(y, subtitle), *parts, "</svg>\n"])


def _head(height: int, subtitle: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        '<text x="16" y="22" font-size="15" font-weight="bold">Ledger: durable entries per second, 64 writers, '
        "longer is better</text>\n"
        f'<text x="16" y="40" fill="#555">{escape(subtitle)}</text>'
    )


def _bar(label: str, value: float, y: int, longest: float) -> str:
    length = value / longest * (WIDTH - LEFT - RIGHT)
    ours = label.startswith("Consentgate")
    colour = OTHERS if not ours else OURS if label == "Consentgate" else PALE
    weight = ' font-weight="bold"' if ours else ""
    return (
        f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 3}" fill="{colour}"/>\n'
        f'<text x="{LEFT + length + 6:.1f}" y="{y + BAR - 6}" font-size="11"{weight}>{label} {value:,.0f}</text>'
    )
