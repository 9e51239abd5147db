"""What every side computes: 40 columns of 20-bit values, one scorecard with signed 16-bit weights.

The values are real companies' ratios where the data set is at hand (`../shared/data`, Polish Companies Bankruptcy,
Tomczak 2016, CC BY 4.0), clamped between the 1st and 99th percentile of each ratio and scaled to 20 bits, missing as 0;
otherwise uniform from a fixed seed. How long arithmetic takes does not depend on which of both it is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

COLUMNS = 40
VALUE_BITS = 20
WEIGHT_BITS = 16
BIAS = 600
TOP = (1 << VALUE_BITS) - 1
REAL_DATA = Path(__file__).parents[3] / "shared" / "data" / "polish_companies_5year.arff"


@dataclass(frozen=True)
class Workload:
    """`rows[i][j]` is column j of company i; `expected[i]` its score."""

    source: str
    rows: list[list[int]]
    weights: list[int]

    @property
    def expected(self) -> list[int]:
        """Scores by plain arithmetic, what every side must find."""
        return [BIAS + sum(w * x for w, x in zip(self.weights, row, strict=True)) for row in self.rows]

    @property
    def low(self) -> int:
        """Least score that any company could have."""
        return BIAS + sum(min(0, weight * TOP) for weight in self.weights)

    @property
    def high(self) -> int:
        """Greatest score that any company could have."""
        return BIAS + sum(max(0, weight * TOP) for weight in self.weights)


def make(companies: int, seed: int = 20261124) -> Workload:
    """A workload of `companies` companies; a data set with fewer is repeated."""
    source = random.Random(seed)
    half = 1 << (WEIGHT_BITS - 1)
    weights = [source.randrange(-half, half) for _ in range(COLUMNS)]
    if REAL_DATA.exists():
        rows = _real_rows(companies)
        return Workload("real companies (Polish Companies Bankruptcy, 5th year)", rows, weights)
    rows = [[source.randrange(TOP + 1) for _ in range(COLUMNS)] for _ in range(companies)]
    return Workload("generated", rows, weights)


def _real_rows(companies: int) -> list[list[int]]:
    lines = REAL_DATA.read_text().split("@data", 1)[-1].split()
    table = [line.split(",")[:COLUMNS] for line in lines if line.count(",") >= COLUMNS]
    bounds = [_bounds([row[column] for row in table]) for column in range(COLUMNS)]
    rows = [[_scaled(cell, *bounds[column]) for column, cell in enumerate(row)] for row in table[:companies]]
    return [rows[index % len(rows)] for index in range(companies)]


def _bounds(cells: list[str]) -> tuple[float, float]:
    values = sorted(float(cell) for cell in cells if cell != "?")
    return values[len(values) // 100], values[-1 - len(values) // 100]


def _scaled(cell: str, low: float, high: float) -> int:
    if cell == "?" or high <= low:
        return 0
    return round((min(max(float(cell), low), high) - low) / (high - low) * TOP)
