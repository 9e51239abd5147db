"""A points scorecard in the forms of docs/wire.md, section 7: header for the departments, weights for the bank."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from consentgate import canonical
from consentgate.scorecard import Scorecard, ScorecardHeader, ScorecardWeights, exact_range
from consentgate.statements import Custody, Use
from dev.departments import CATEGORIES
from dev.points import SCALE, PointsColumn, PointsScorecard
from paillier.columns import BinnedColumn
from paillier.score_range import DEFAULT_WEIGHT_BITS

SALT_BYTES = 32


def build_scorecard(
    points: PointsScorecard, departments: Mapping[str, Sequence[str]], *, name: str, owner: str
) -> Scorecard:
    """The scorecard over `departments`' columns, in their order; a silent department fails the request."""
    by_name = {column.name: column for column in points.columns}
    placed = [(department, by_name[column]) for department, columns in departments.items() for column in columns]
    weights = _weights(points.bias, placed)
    low, high = exact_range([_binned(column) for _, column in placed], weights, DEFAULT_WEIGHT_BITS, "weights")
    content = {
        "v": 1,
        "name": name,
        "owner": owner,
        "use": Use.SCORE.value,
        "custody": Custody.RECIPIENT.value,
        "departments": [
            {"id": department, "missing": "fail", "columns": _columns(department, placed)} for department in departments
        ],
        "score_low": low,
        "score_high": high,
        "slot_bits": max(1, (high - low).bit_length()),
        "weight_bits": DEFAULT_WEIGHT_BITS,
        "weights_commitment": weights.commitment(),
    }
    return Scorecard(ScorecardHeader.parse(canonical.encode(content), "header"), weights)


def write_scorecard(path: Path, scorecard: Scorecard) -> None:
    """The file that `bank scorecard register` reads."""
    parts = {"header": json.loads(scorecard.header.encode()), "weights": json.loads(scorecard.weights.encode())}
    path.write_text(json.dumps(parts, indent=1) + "\n")


def _weights(bias: int, placed: Sequence[tuple[str, PointsColumn]]) -> ScorecardWeights:
    content = {
        "v": 1,
        "salt": secrets.token_hex(SALT_BYTES),
        "bias": bias,
        "weights": [
            {"department": department, "column": column.name.lower(), "points": list(column.points)}
            for department, column in placed
        ],
    }
    return ScorecardWeights.parse(canonical.encode(content), "weights")


def _columns(department: str, placed: Sequence[tuple[str, PointsColumn]]) -> list[dict[str, object]]:
    return [
        {"category": CATEGORIES[department], "spec": _binned(column).to_json()}
        for owner, column in placed
        if owner == department
    ]


def _binned(column: PointsColumn) -> BinnedColumn:
    return BinnedColumn(column.name.lower(), SCALE, column.edges)
