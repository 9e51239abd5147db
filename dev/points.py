"""Points scorecards in plain arithmetic: what the encrypted path must equal, to the last point.

Source: Siddiqi, *Credit Risk Scorecards* (2006), chapter 6. Higher scores mean less risk. Deliberately independent of
`paillier` and `consentgate`: an oracle that shared their code would share their mistakes. Training is in
`dev/training.py`, which alone needs scikit-learn: the demo runs without it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from dev.arff import CompanyRow

SCALE = 4
"""Decimal places kept of a ratio."""


@dataclass(frozen=True)
class PointsColumn:
    """Bin edges in units of 10^-SCALE and points per bin, the last for `missing`."""

    name: str
    edges: tuple[int, ...]
    points: tuple[int, ...]


@dataclass(frozen=True)
class PointsScorecard:
    """Integer bias and columns."""

    bias: int
    columns: tuple[PointsColumn, ...]

    def score(self, row: CompanyRow) -> int:
        """Plaintext score: what the encrypted path must equal."""
        return self.bias + sum(column.points[bin_of(row.ratios[column.name], column.edges)] for column in self.columns)

    def edges(self) -> dict[str, tuple[int, ...]]:
        """Column name → bin edges."""
        return {column.name: column.edges for column in self.columns}

    def to_json(self) -> dict[str, Any]:
        """As stored in dev/data/scorecard.json."""
        return {"bias": self.bias, "columns": [vars(column) for column in self.columns]}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> PointsScorecard:
        """The inverse of `to_json`."""
        columns = (PointsColumn(c["name"], tuple(c["edges"]), tuple(c["points"])) for c in content["columns"])
        return cls(content["bias"], tuple(columns))


def fixed_point(value: str) -> int:
    """value · 10^SCALE, rounded half to even; of the double in a department's database, by its shortest name."""
    return int(Decimal(repr(float(value))).scaleb(SCALE).to_integral_value(ROUND_HALF_EVEN))


def bin_of(value: str | None, edges: Sequence[int]) -> int:
    """Number of edges ≤ value; one past the last bin when missing."""
    return len(edges) + 1 if value is None else bisect_right(edges, fixed_point(value))


def area_under_curve(scores: Sequence[int], bankrupt: Sequence[bool]) -> float:
    """Probability that a sound company scores higher than a bankrupt one, ties counted half (Mann-Whitney)."""
    good = [score for score, failed in zip(scores, bankrupt, strict=True) if not failed]
    bad = [score for score, failed in zip(scores, bankrupt, strict=True) if failed]
    wins = sum((g > b) + 0.5 * (g == b) for g in good for b in bad)
    return wins / (len(good) * len(bad)) if good and bad else math.nan
