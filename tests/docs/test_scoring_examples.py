"""The examples in docs/scoring.md, "What the disclosure rule refuses", get the verdicts that the page names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import pytest

from consentgate import canonical
from consentgate.scorecard import Scorecard, ScorecardHeader, ScorecardWeights, exact_range
from gateway import disclosure
from gateway.disclosure import Group
from paillier.columns import BinnedColumn, Column, NumericColumn
from tests.docs.pages import ROOT, table_rows

MARGIN = BinnedColumn("margin", 4, (-500, 0, 2500))
TURNOVER = BinnedColumn("turnover", 0, (100, 1000))
EXPORTS = NumericColumn("exports", 0, 0, 1000)
IMPORTS = NumericColumn("imports", 0, 0, 1000)
DEPARTMENT = {"margin": "tax", "turnover": "tax", "exports": "customs", "imports": "customs"}
CATEGORY = {"tax": "tax.declarations", "customs": "customs.trade"}
MARGIN_POINTS = (MARGIN, (-40, -10, 5, 30, -25))

Points = Sequence[tuple[Column, Sequence[int]]]


def _scorecard(points: Points, bias: int = 600) -> Scorecard:
    """One scorecard whose columns stand in the order given, departments in the order of their first column."""
    by_department: dict[str, list[Column]] = {}
    for column, _ in points:
        by_department.setdefault(DEPARTMENT[column.name], []).append(column)
    weights = ScorecardWeights.model_validate(
        {
            "v": 1,
            "salt": hashlib.sha256(repr((points, bias)).encode()).hexdigest(),
            "bias": bias,
            "weights": [
                {"department": DEPARTMENT[column.name], "column": column.name, "points": list(row)}
                for column, row in points
            ],
        }
    )
    low, high = exact_range([column for column, _ in points], weights, 16, "weights")
    content = {
        "v": 1,
        "name": "example",
        "owner": "bank-a",
        "use": "SCORE",
        "custody": "recipient",
        "departments": [_department(name, columns) for name, columns in by_department.items()],
        "score_low": low,
        "score_high": high,
        "slot_bits": max(1, (high - low).bit_length()),
        "weight_bits": 16,
        "weights_commitment": weights.commitment(),
    }
    return Scorecard(ScorecardHeader.parse(canonical.encode(content), "header"), weights)


def _department(name: str, columns: Sequence[Column]) -> Mapping[str, object]:
    entries = [{"category": CATEGORY[name], "spec": column.to_json()} for column in columns]
    return {"id": name, "missing": "fail", "columns": entries}


BOTH = _scorecard([MARGIN_POINTS, (EXPORTS, (2, -70))])
EXAMPLES = {
    "one scorecard over one department": [_scorecard([MARGIN_POINTS])],
    "tax margin and customs exports, once": [BOTH],
    "the same, and a second scorecard with the same weights on `margin` and others on `exports`": [
        BOTH,
        _scorecard([MARGIN_POINTS, (EXPORTS, (3, -10))]),
    ],
    "the same scorecard with its bias changed": [BOTH, _scorecard([MARGIN_POINTS, (EXPORTS, (2, -70))], bias=700)],
    "two scorecards over disjoint columns": [
        BOTH,
        _scorecard([(TURNOVER, (0, 10, 20, -5)), (IMPORTS, (1, -30))]),
    ],
}


def _documented() -> dict[str, str]:
    text = (ROOT / "docs" / "scoring.md").read_text("utf-8")
    table = text[text.index("| set | verdict |") :].partition("\n\n")[0]
    return dict(table_rows(table))


@pytest.mark.parametrize("example", EXAMPLES)
def test_verdict_is_the_documented_one(example: str) -> None:
    report = disclosure.judge(Group("bank-a-group", ["bank-a"], []), EXAMPLES[example])
    expected = "refuse" if _documented()[example].startswith("refused") else "accept"
    assert report.content["verdict"] == expected
    assert bool(report.findings) == (expected == "refuse")


def test_every_documented_example_is_tried() -> None:
    assert set(_documented()) == set(EXAMPLES)


def test_what_is_solved_is_named() -> None:
    solved = EXAMPLES["the same, and a second scorecard with the same weights on `margin` and others on `exports`"]
    report = disclosure.judge(Group("bank-a-group", ["bank-a"], []), solved)
    assert "linear.customs.exports" in report.findings
