"""Which department holds which ratio of the real companies' data, in the demo and in `make real-data`."""

from __future__ import annotations

DEMO_COLUMNS: dict[str, list[str]] = {
    "tax": ["Attr9", "Attr23", "Attr35"],
    "customs": ["Attr21", "Attr61"],
    "social-security": ["Attr33", "Attr34"],
    "courts": ["Attr2", "Attr62"],
    "market-regulation": ["Attr10", "Attr29", "Attr27"],
}
"""Five departments; the registry is market regulation."""

REAL_COLUMNS: dict[str, list[str]] = {
    "tax": ["Attr9", "Attr23", "Attr35", "Attr13"],
    "customs": ["Attr21", "Attr61"],
    "social-security": ["Attr33", "Attr34", "Attr58"],
    "courts": ["Attr2", "Attr62", "Attr16"],
    "market-regulation": ["Attr10", "Attr29", "Attr27"],
    "statistics": ["Attr24", "Attr26", "Attr6"],
    "housing-fund": ["Attr40", "Attr46"],
    "utilities": ["Attr5", "Attr39"],
}
"""Eight departments over the same data."""

CATEGORIES: dict[str, str] = {
    "tax": "tax.declarations",
    "customs": "customs.trade",
    "social-security": "social-security.contributions",
    "courts": "courts.enforcement",
    "market-regulation": "market-regulation.registration",
    "statistics": "statistics.enterprise",
    "housing-fund": "housing-fund.contributions",
    "utilities": "utilities.consumption",
}
"""The category under which a department's columns stand in consents and law."""

REGISTRY = "market-regulation"
"""The department that attests company keys."""
