"""Scorecards made of a few words, for tests of disclosure: columns by name, points by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from consentgate import canonical
from consentgate.scorecard import Scorecard, ScorecardHeader, ScorecardWeights
from paillier.columns import BinnedColumn, Column, NumericColumn
from paillier.score_range import score_range

CATEGORIES = {
    "tax": "tax.declarations",
    "customs": "customs.trade",
    "courts": "courts.cases",
    "utilities": "utilities.consumption",
}

Part = tuple[str, Column, Sequence[int]]
"""Department, column, points."""


def binned(name: str, edges: int = 1) -> BinnedColumn:
    """A one-hot column with `edges` + 2 positions."""
    return BinnedColumn(name, 0, tuple(range(edges)))


def numeric(name: str, hi: int = 100) -> NumericColumn:
    """A bounded number."""
    return NumericColumn(name, 0, 0, hi)


def scorecard(name: str, *parts: Part, owner: str = "bank-a", bias: int = 0, weight_bits: int = 16) -> Scorecard:
    """A scorecard of these parts; departments in the order of their first column."""
    departments = list(dict.fromkeys(department for department, _, _ in parts))
    ordered = [part for department in departments for part in parts if part[0] == department]
    weights = ScorecardWeights(
        v=1,
        salt=hashlib.sha256(name.encode()).hexdigest(),
        bias=bias,
        weights=[
            {"department": department, "column": column.name, "points": list(points)}
            for department, column, points in ordered
        ],
    )
    columns = [column for _, column, _ in ordered]
    low, high = score_range(columns, [p for _, _, points in ordered for p in points], bias, weight_bits=weight_bits)
    content = {
        "v": 1,
        "name": name,
        "owner": owner,
        "use": "SCORE",
        "custody": "recipient",
        "departments": [
            {
                "id": department,
                "missing": "fail",
                "columns": [
                    {"category": CATEGORIES[department], "spec": column.to_json()}
                    for owner_, column, _ in ordered
                    if owner_ == department
                ],
            }
            for department in departments
        ],
        "score_low": low,
        "score_high": high,
        "slot_bits": max(1, (high - low).bit_length()),
        "weight_bits": weight_bits,
        "weights_commitment": weights.commitment(),
    }
    return Scorecard(ScorecardHeader.parse(canonical.encode(content), "header"), weights)
