"""The plaintext oracle: bins, fixed point, AUC; and that it agrees with the wire's scorecard on every company."""

from __future__ import annotations

import math

import pytest

from dev.arff import CompanyRow
from dev.companies import extract, trained_scorecard
from dev.departments import DEMO_COLUMNS
from dev.points import PointsColumn, PointsScorecard, area_under_curve, bin_of, fixed_point
from dev.scorecards import build_scorecard

CARD = PointsScorecard(600, (PointsColumn("Attr1", (-5000, 10000), (1, 20, 300, -4000)),))


@pytest.mark.parametrize(
    ("value", "units"),
    [("0.95243", 9524), ("0.00005", 0), ("0.00015", 2), ("-0.00015", -2), ("1e3", 10_000_000), ("-0", 0)],
)
def test_fixed_point_rounds_half_to_even(value: str, units: int) -> None:
    assert fixed_point(value) == units


@pytest.mark.parametrize(
    ("value", "points"), [("-0.6", 1), ("-0.5", 20), ("0.99994", 20), ("1", 300), ("9e9", 300), (None, -4000)]
)
def test_an_edge_belongs_to_the_bin_above(value: str | None, points: int) -> None:
    assert CARD.score(CompanyRow({"Attr1": value}, bankrupt=False)) == 600 + points


def test_missing_has_a_bin_of_its_own() -> None:
    assert bin_of(None, (1, 2)) == 3
    assert bin_of("0.0002", (1, 2)) == 2


def test_plaintext_score_equals_the_wires_scorecard_on_all_companies_of_the_extract() -> None:
    card = trained_scorecard()
    wire = build_scorecard(card, DEMO_COLUMNS, name="sme-points", owner="bank-a")
    sources = [name for columns in DEMO_COLUMNS.values() for name in columns]
    columns = [column for _, column in wire.header.columns()]
    for row in extract():
        positions = [p for name, c in zip(sources, columns, strict=True) for p in c.encode(row.ratios[name])]
        score = wire.weights.bias + sum(w * x for w, x in zip(wire.points(), positions, strict=True))
        assert score == card.score(row)
        assert wire.header.score_low <= score <= wire.header.score_high


def test_json_form_reads_back() -> None:
    assert PointsScorecard.from_json(CARD.to_json()) == CARD


def test_area_under_curve() -> None:
    assert area_under_curve([3, 2, 1], [False, False, True]) == 1.0
    assert area_under_curve([1, 2], [False, True]) == 0.0
    assert area_under_curve([5, 5], [False, True]) == 0.5
    assert math.isnan(area_under_curve([1, 2], [False, False]))


def test_the_demos_scorecard_tells_sound_from_bankrupt() -> None:
    rows, card = extract(), trained_scorecard()
    assert area_under_curve([card.score(row) for row in rows], [row.bankrupt for row in rows]) > 0.8
