"""Trains a points scorecard the industry's way: quantile bins, weight of evidence, logistic regression, integer points.

Source: Siddiqi, *Credit Risk Scorecards* (2006), chapter 6. Used by `make real-data`, and once to make what the demo
comes with: `python -m dev.training DATA.arff` writes dev/data. The running system only ever sees the result.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path

from sklearn.linear_model import LogisticRegression

from dev.arff import CompanyRow, read_arff
from dev.companies import DATA
from dev.departments import DEMO_COLUMNS
from dev.points import PointsColumn, PointsScorecard, area_under_curve, bin_of, fixed_point
from paillier.columns import MAX_FIXED

POINTS_PER_UNIT = 40
"""Points for one unit of log-odds; about 28 points to double the odds."""
BASE_POINTS = 600
SMOOTHING = 0.5
"""Added to the counts of each bin, so that an empty one has a finite weight of evidence."""
EXTRACT_BANKRUPT, EXTRACT_SOUND = 60, 240
"""Companies of the extract; together at most the 500 that its licence note promises."""


def train(rows: Sequence[CompanyRow], names: Sequence[str], bins: int = 5) -> PointsScorecard:
    """Fits a points scorecard on `rows` over those columns of `names` that have any value at all."""
    edges = {name: found for name in names if (found := _quantile_edges(rows, name, bins))}
    evidence = {name: _weights_of_evidence(rows, name, edges[name]) for name in edges}
    features = [[evidence[name][bin_of(row.ratios[name], edges[name])] for name in edges] for row in rows]
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000)
    model.fit(features, [0 if row.bankrupt else 1 for row in rows])
    columns = [
        PointsColumn(name, edges[name], tuple(round(POINTS_PER_UNIT * weight * woe) for woe in evidence[name]))
        for name, weight in zip(edges, model.coef_[0], strict=True)
    ]
    return PointsScorecard(BASE_POINTS + round(POINTS_PER_UNIT * float(model.intercept_[0])), tuple(columns))


def _quantile_edges(rows: Sequence[CompanyRow], name: str, bins: int) -> tuple[int, ...]:
    values = sorted(fixed_point(value) for row in rows if (value := row.ratios[name]) is not None)
    edges = {values[len(values) * index // bins] for index in range(1, bins)} if values else set()
    return tuple(sorted(edge for edge in edges if abs(edge) <= MAX_FIXED))


def _weights_of_evidence(rows: Sequence[CompanyRow], name: str, edges: Sequence[int]) -> list[float]:
    good = [SMOOTHING] * (len(edges) + 2)
    bad = [SMOOTHING] * (len(edges) + 2)
    for row in rows:
        (bad if row.bankrupt else good)[bin_of(row.ratios[name], edges)] += 1
    return [math.log((g / sum(good)) / (b / sum(bad))) for g, b in zip(good, bad, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the demo's scorecard and takes its extract of companies.")
    parser.add_argument("data", type=Path)
    rows = read_arff(parser.parse_args().data)
    names = [column for columns in DEMO_COLUMNS.values() for column in columns]
    scorecard = train(rows[1::2], names)
    (DATA / "scorecard.json").write_text(json.dumps(scorecard.to_json(), indent=1) + "\n")
    failed = [row for row in rows[::2] if row.bankrupt][:EXTRACT_BANKRUPT]
    sound = [row for row in rows[::2] if not row.bankrupt][:EXTRACT_SOUND]
    extract = sorted(failed + sound, key=lambda row: str(row.ratios))
    lines = [",".join([*names, "bankrupt"])]
    lines += [",".join([*(row.ratios[name] or "" for name in names), str(int(row.bankrupt))]) for row in extract]
    (DATA / "companies.csv").write_text("\n".join(lines) + "\n")
    print(area_under_curve([scorecard.score(row) for row in extract], [row.bankrupt for row in extract]))


if __name__ == "__main__":
    main()
