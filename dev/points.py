"""A points scorecard, the industry's form: quantile bins, weight of evidence, logistic regression, integer points.

Source: Siddiqi, *Credit Risk Scorecards* (2006), chapter 6. Higher scores mean less risk. Used to make the demo's
scorecard once (`python -m dev.points DATA.arff`) and by `make real-data`; the running system only sees its result.
"""

from __future__ import annotations

import argparse
import json
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from sklearn.linear_model import LogisticRegression

from dev.arff import CompanyRow, read_arff
from dev.departments import DEMO_COLUMNS

SCALE = 4
"""Decimal places kept of a ratio."""
POINTS_PER_UNIT = 40
"""Points for one unit of log-odds; about 28 points to double the odds."""
BASE_POINTS = 600
SMOOTHING = 0.5
"""Added to the counts of each bin, so that an empty one has a finite weight of evidence."""


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


def fixed_point(value: str) -> int:
    """value · 10^SCALE, rounded half to even."""
    return int(Decimal(value).scaleb(SCALE).to_integral_value(ROUND_HALF_EVEN))


def bin_of(value: str | None, edges: Sequence[int]) -> int:
    """Number of edges ≤ value; one past the last bin when missing."""
    return len(edges) + 1 if value is None else bisect_right(edges, fixed_point(value))


def train(rows: Sequence[CompanyRow], names: Sequence[str], bins: int = 5) -> PointsScorecard:
    """Fits a points scorecard on `rows` over the columns `names`."""
    edges = {name: _quantile_edges(rows, name, bins) for name in names}
    evidence = {name: _weights_of_evidence(rows, name, edges[name]) for name in names}
    features = [[evidence[name][bin_of(row.ratios[name], edges[name])] for name in names] for row in rows]
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000)
    model.fit(features, [0 if row.bankrupt else 1 for row in rows])
    columns = [
        PointsColumn(name, edges[name], tuple(round(POINTS_PER_UNIT * weight * woe) for woe in evidence[name]))
        for name, weight in zip(names, model.coef_[0], strict=True)
    ]
    return PointsScorecard(BASE_POINTS + round(POINTS_PER_UNIT * float(model.intercept_[0])), tuple(columns))


def _quantile_edges(rows: Sequence[CompanyRow], name: str, bins: int) -> tuple[int, ...]:
    values = sorted(fixed_point(value) for row in rows if (value := row.ratios[name]) is not None)
    return tuple(sorted({values[len(values) * index // bins] for index in range(1, bins)}))


def _weights_of_evidence(rows: Sequence[CompanyRow], name: str, edges: Sequence[int]) -> list[float]:
    good = [SMOOTHING] * (len(edges) + 2)
    bad = [SMOOTHING] * (len(edges) + 2)
    for row in rows:
        (bad if row.bankrupt else good)[bin_of(row.ratios[name], edges)] += 1
    return [math.log((g / sum(good)) / (b / sum(bad))) for g, b in zip(good, bad, strict=True)]


def area_under_curve(scores: Sequence[int], bankrupt: Sequence[bool]) -> float:
    """Probability that a sound company scores higher than a bankrupt one, ties counted half (Mann-Whitney)."""
    good = [score for score, failed in zip(scores, bankrupt, strict=True) if not failed]
    bad = [score for score, failed in zip(scores, bankrupt, strict=True) if failed]
    wins = sum((g > b) + 0.5 * (g == b) for g in good for b in bad)
    return wins / (len(good) * len(bad)) if good and bad else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the demo's scorecard and takes its extract of companies.")
    parser.add_argument("data", type=Path)
    rows = read_arff(parser.parse_args().data)
    names = [column for columns in DEMO_COLUMNS.values() for column in columns]
    scorecard = train(rows[1::2], names)
    directory = Path(__file__).parent / "data"
    content = {"bias": scorecard.bias, "columns": [vars(column) for column in scorecard.columns]}
    (directory / "scorecard.json").write_text(json.dumps(content, indent=1) + "\n")
    failed = [row for row in rows[::2] if row.bankrupt][:60]
    sound = [row for row in rows[::2] if not row.bankrupt][:240]
    extract = sorted(failed + sound, key=lambda row: str(row.ratios))
    lines = [",".join([*names, "bankrupt"])]
    lines += [",".join([*(row.ratios[name] or "" for name in names), str(int(row.bankrupt))]) for row in extract]
    (directory / "companies.csv").write_text("\n".join(lines) + "\n")
    print(area_under_curve([scorecard.score(row) for row in extract], [row.bankrupt for row in extract]))


if __name__ == "__main__":
    main()
