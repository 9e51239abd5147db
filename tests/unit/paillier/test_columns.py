"""Columns: layout, clamping, missing values, and the strict JSON form that signatures cover."""

from typing import Any

import pytest

from paillier import errors
from paillier.columns import (
    MAX_EDGES,
    MAX_FIXED,
    BinnedColumn,
    Column,
    NumericColumn,
    column_from_json,
)

TURNOVER = NumericColumn("tax.turnover", 2, -1000, 50_000)
GROWTH = NumericColumn("growth", 3, -2000, 2000, log=True)
AGE = BinnedColumn("age", 1, (-5, 0, 100))


@pytest.mark.parametrize(
    ("value", "row"),
    [
        (0, [1000, 0]),
        ("-10", [0, 0]),
        (500, [51_000, 0]),
        (1e9, [51_000, 0]),
        (-1e9, [0, 0]),
        ("1e99999", [51_000, 0]),
        (0.005, [1000, 0]),  # half of a unit rounds to the even 0
        (0.015, [1002, 0]),
        (None, [0, 1]),
        ("n/a", [0, 1]),
        (float("nan"), [0, 1]),
        (float("inf"), [0, 1]),
    ],
)
def test_numeric_encoding(value: Any, row: list[int]) -> None:
    assert TURNOVER.encode(value) == row


def test_a_missing_value_and_lo_differ_in_the_indicator_only() -> None:
    assert TURNOVER.encode(None) == [0, 1]
    assert TURNOVER.encode(-10) == [0, 0]


@pytest.mark.parametrize(
    ("value", "row"), [(1, [2000, 0]), (0, [0, 0]), (-3, [0, 1]), ("1e9999", [4000, 0]), (0.5, [1307, 0])]
)
def test_logarithmic_encoding(value: Any, row: list[int]) -> None:
    assert GROWTH.encode(value) == row


@pytest.mark.parametrize(
    ("value", "position"),
    [
        ("-1e99", 0),
        (-0.6, 0),
        (-0.5, 1),
        (-0.1, 1),
        (0, 2),
        (9.9, 2),
        (10, 3),
        ("1e99999", 3),
        (None, 4),
        ("?", 4),
    ],
)
def test_binned_encoding_counts_the_edges_at_or_below(value: Any, position: int) -> None:
    assert AGE.encode(value) == [int(place == position) for place in range(AGE.width)]


def test_fixed_encodings() -> None:
    assert TURNOVER.encode_fixed(-1000) == [0, 0]
    assert TURNOVER.encode_fixed(10**50) == [51_000, 0]
    assert TURNOVER.encode_fixed(None) == [0, 1]
    assert AGE.encode_fixed(100) == [0, 0, 0, 1, 0]
    assert AGE.encode_fixed(None) == [0, 0, 0, 0, 1]


def test_widths() -> None:
    assert [TURNOVER.width, GROWTH.width, AGE.width] == [2, 2, 5]


def test_json_forms_hold_integers_and_strings_only() -> None:
    assert TURNOVER.to_json() == {
        "kind": "numeric",
        "name": "tax.turnover",
        "scale": 2,
        "lo": -1000,
        "hi": 50_000,
        "transform": "identity",
    }
    assert GROWTH.to_json()["transform"] == "ln"
    assert AGE.to_json() == {"kind": "binned", "name": "age", "scale": 1, "edges": [-5, 0, 100]}


@pytest.mark.parametrize("column", [TURNOVER, GROWTH, AGE], ids=lambda column: column.name)
def test_json_round_trip(column: Column) -> None:
    assert column_from_json(column.to_json()) == column


def test_a_list_of_edges_becomes_a_hashable_value() -> None:
    assert hash(column_from_json(AGE.to_json())) == hash(AGE)


BAD_FORMS: dict[str, tuple[Column, dict[str, Any]]] = {
    "kind_unknown": (TURNOVER, {"kind": "text"}),
    "kind_list": (TURNOVER, {"kind": ["numeric"]}),
    "extra_member": (TURNOVER, {"edges": [1]}),
    "name_empty": (TURNOVER, {"name": ""}),
    "name_starts_with_digit": (TURNOVER, {"name": "1x"}),
    "name_with_newline": (TURNOVER, {"name": "x\n"}),
    "name_too_long": (TURNOVER, {"name": "x" * 65}),
    "name_number": (TURNOVER, {"name": 5}),
    "scale_negative": (TURNOVER, {"scale": -1}),
    "scale_too_large": (TURNOVER, {"scale": 13}),
    "scale_float": (TURNOVER, {"scale": 2.0}),
    "scale_bool": (AGE, {"scale": True}),
    "lo_equals_hi": (TURNOVER, {"lo": 50_000}),
    "lo_above_hi": (TURNOVER, {"lo": 50_001}),
    "lo_text": (TURNOVER, {"lo": "1"}),
    "hi_float": (TURNOVER, {"hi": 5e4}),
    "hi_beyond_exact_json": (TURNOVER, {"hi": MAX_FIXED + 1}),
    "lo_beyond_exact_json": (TURNOVER, {"lo": -MAX_FIXED - 1}),
    "lo_none": (TURNOVER, {"lo": None}),
    "transform_unknown": (TURNOVER, {"transform": "log10"}),
    "transform_bool": (TURNOVER, {"transform": True}),
    "edges_empty": (AGE, {"edges": []}),
    "edges_too_many": (AGE, {"edges": list(range(MAX_EDGES + 1))}),
    "edges_equal": (AGE, {"edges": [1, 1]}),
    "edges_fall": (AGE, {"edges": [2, 1]}),
    "edges_float": (AGE, {"edges": [1, 2.0]}),
    "edges_bool": (AGE, {"edges": [False, 2]}),
    "edges_text": (AGE, {"edges": "123"}),
    "edges_beyond_exact_json": (AGE, {"edges": [MAX_FIXED + 1]}),
}


@pytest.mark.parametrize("defect", BAD_FORMS)
def test_a_bad_description_is_refused(defect: str) -> None:
    column, changes = BAD_FORMS[defect]
    with pytest.raises(errors.ColumnInvalid):
        column_from_json(column.to_json() | changes)


@pytest.mark.parametrize("member", ["kind", "name", "scale", "lo", "hi", "transform"])
def test_every_member_is_required(member: str) -> None:
    form = TURNOVER.to_json()
    del form[member]
    with pytest.raises(errors.ColumnInvalid):
        column_from_json(form)


@pytest.mark.parametrize("form", [None, [], "numeric", 5])
def test_what_is_not_an_object_is_refused(form: Any) -> None:
    with pytest.raises(errors.ColumnInvalid):
        column_from_json(form)


def test_constructors_check_like_the_parser() -> None:
    with pytest.raises(errors.ColumnInvalid):
        NumericColumn("x", 0, 0, 1, log=1)  # type: ignore[arg-type]
    with pytest.raises(errors.ColumnInvalid):
        BinnedColumn("x", 0, ())
