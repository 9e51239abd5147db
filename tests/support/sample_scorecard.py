"""A small scorecard over two departments, with binned and numeric columns, and the figures of one company."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from consentgate import canonical
from consentgate.scorecard import Scorecard, ScorecardHeader, ScorecardWeights
from paillier.columns import BinnedColumn, NumericColumn
from paillier.score_range import score_range

CATEGORIES = {"tax": "tax.declarations", "customs": "customs.trade"}


def small_scorecard(owner: str = "bank-a", name: str = "small", missing: str = "fail") -> Scorecard:
    """Two departments, binned and numeric columns, negative weights; `missing` is what customs' silence
    means.
    """
    tax = [BinnedColumn("margin", 4, (-500, 0, 2500)), NumericColumn("turnover", 2, 0, 10_000_000)]
    customs = [BinnedColumn("exports", 0, (0, 1000))]
    points = {"margin": [-40, -10, 5, 30, -25], "turnover": [2, -70], "exports": [0, 15, 45, -5]}
    weights = ScorecardWeights(
        v=1,
        salt=hashlib.sha256(f"weights salt {name}".encode()).hexdigest(),
        bias=600,
        weights=[
            {"department": department, "column": column.name, "points": points[column.name]}
            for department, columns in (("tax", tax), ("customs", customs))
            for column in columns
        ],
    )
    low, high = score_range([*tax, *customs], [p for entry in weights.weights for p in entry.points], 600)
    header = ScorecardHeader.parse(
        canonical.encode(
            {
                "v": 1,
                "name": name,
                "owner": owner,
                "use": "SCORE",
                "custody": "recipient",
                "departments": [
                    header_department("tax", "fail", tax),
                    header_department("customs", missing, customs),
                ],
                "score_low": low,
                "score_high": high,
                "slot_bits": (high - low).bit_length(),
                "weight_bits": 16,
                "weights_commitment": weights.commitment(),
            }
        ),
        "header",
    )
    return Scorecard(header, weights)


def header_department(
    department: str, missing: str, columns: Sequence[BinnedColumn | NumericColumn]
) -> dict[str, object]:
    """One department's entry of a header."""
    category = CATEGORIES[department]
    return {
        "id": department,
        "missing": missing,
        "columns": [{"category": category, "spec": column.to_json()} for column in columns],
    }


SCORECARD = small_scorecard()
VALUES = {"margin": "0.1234", "turnover": "12345.67", "exports": None}
"""What the departments know of the company; exports are missing."""
