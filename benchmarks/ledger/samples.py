"""How much is measured, and what was: samples by name, of which medians and quantiles are told."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

WRITERS = 64
SMALL = 10_000
"""Size of the log that a grown one is compared with."""
MILLION = 1_000_000
P99 = 0.99


@dataclass(frozen=True)
class Plan:
    """How much to measure; `quick` stays under a minute."""

    entries: int
    rounds: int
    appends: int
    naive_appends: int
    peer_appends: int
    receipts: dict[int, int]
    repeat: int
    delays_us: tuple[int, ...]


FULL = Plan(MILLION, 7, 25_600, 640, 200, {1: 100, WRITERS: 2_560}, 40, (250, 500, 1000, 2000))
QUICK = Plan(20_000, 3, 7_680, 96, 24, {1: 20, WRITERS: 640}, 10, (1000,))
"""A turn of 25,600 appends has 400 batches of 64, so that p99 is not its worst batch, and six rounds of the index."""


@dataclass
class Samples:
    """Seconds or rates."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, *values: float) -> None:
        """More samples of a name."""
        self.values.setdefault(name, []).extend(values)

    def median(self, name: str) -> float:
        """Half are above."""
        return statistics.median(self.values[name])

    def quantile(self, name: str, share: float) -> float:
        """So large a share is below."""
        return quantile(self.values[name], share)


def quantile(values: list[float], share: float) -> float:
    """So large a share of the values is below."""
    return sorted(values)[int(len(values) * share)]


def ms(seconds: float) -> float:
    """Milliseconds with three digits behind the point."""
    return round(seconds * 1e3, 3)
