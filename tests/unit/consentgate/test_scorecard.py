"""Scorecards: header and weights belong together exactly, and what the id fixes is fixed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.scorecard import MAX_COLUMNS, Scorecard, ScorecardHeader, ScorecardWeights, exact_range
from paillier.columns import BinnedColumn, NumericColumn
from tests.support.sample_scorecard import SCORECARD, small_scorecard


def _header(**changes: Any) -> dict[str, Any]:
    return {**SCORECARD.header.model_dump(mode="json"), **changes}


def _weights(**changes: Any) -> ScorecardWeights:
    return ScorecardWeights.parse(canonical.encode({**SCORECARD.weights.model_dump(mode="json"), **changes}), "weights")


def _parsed(header: dict[str, Any]) -> ScorecardHeader:
    return ScorecardHeader.parse(canonical.encode(header), "header")


def _committing(weights: ScorecardWeights, **changes: Any) -> ScorecardHeader:
    return _parsed(_header(weights_commitment=weights.commitment(), **changes))


def _refused(code: ErrorCode, build: Callable[[], object]) -> ConsentgateError:
    with pytest.raises(ConsentgateError) as caught:
        build()
    assert caught.value.code is code
    return caught.value


def test_id_is_the_hash_of_the_header_and_fixes_the_weights():
    header = SCORECARD.header.encode()
    assert SCORECARD.header.id == hashlib.sha256(header).hexdigest()
    assert ScorecardHeader.parse(header, "header") == SCORECARD.header
    salted = small_scorecard(name="other").weights.commitment()
    assert salted != SCORECARD.weights.commitment()


def test_commitment_is_as_documented():
    """docs/wire.md, section 7.2."""
    expected = hashlib.sha256(b"consentgate/v1/weights\x00" + SCORECARD.weights.encode()).hexdigest()
    assert SCORECARD.header.weights_commitment == expected


def test_columns_in_the_order_of_the_ciphertexts():
    names = [(department, column.name) for department, column in SCORECARD.header.columns()]
    assert names == [("tax", "margin"), ("tax", "turnover"), ("customs", "exports")]
    assert len(SCORECARD.points()) == sum(column.width for _, column in SCORECARD.header.columns()) == 11
    assert SCORECARD.header.categories() == {"tax.declarations", "customs.trade"}


def test_a_department_finds_its_entry():
    assert SCORECARD.header.department("tax").names() == ["margin", "turnover"]
    assert SCORECARD.header.department("customs").widths() == [4]
    _refused(ErrorCode.COLUMN_NOT_RELEASABLE, lambda: SCORECARD.header.department("courts"))


# Headers.

MEMBERS: dict[str, list[Any]] = {
    "v": [0, 2, True, "1"],
    "name": ["", "A"],
    "owner": ["", "spiffe://x.test/bank/a"],
    "use": ["ALL", 1],
    "custody": ["quorum", ""],
    "departments": [[], [1], "x"],
    "score_low": ["0", True, -(2**53)],
    "score_high": ["0", 2**53],
    "slot_bits": [0, 55, "1"],
    "weight_bits": [1, 33],
    "weights_commitment": ["0" * 63, 1],
}


@pytest.mark.parametrize(("member", "value"), [(name, value) for name, values in MEMBERS.items() for value in values])
def test_bad_member_is_refused(member: str, value: Any):
    data = (
        canonical.encode(_header(**{member: value}))
        if value not in (2**53, -(2**53))
        else b'{"score":9007199254740992}'
    )
    _refused(ErrorCode.INVALID_ARGUMENT_FIELD, lambda: ScorecardHeader.parse(data, "header"))


def test_member_absent_or_unknown():
    for name in _header():
        rest = {key: value for key, value in _header().items() if key != name}
        error = _refused(ErrorCode.INVALID_ARGUMENT_FIELD, lambda r=rest: _parsed(r))
        assert error.field == f"header.{name}"
    assert _refused(ErrorCode.INVALID_ARGUMENT_FIELD, lambda: _parsed(_header(zz=1))).field == "header.zz"


@pytest.mark.parametrize("spelling", [lambda b: b + b"\n", lambda b: b.replace(b",", b", "), lambda b: b" " + b])
def test_header_has_one_spelling(spelling: Callable[[bytes], bytes]):
    data = spelling(SCORECARD.header.encode())
    _refused(ErrorCode.INVALID_ARGUMENT_FIELD, lambda: ScorecardHeader.parse(data, "header"))


def _with_spec(**changes: Any) -> dict[str, Any]:
    header = _header()
    header["departments"][0]["columns"][0]["spec"] = {
        **header["departments"][0]["columns"][0]["spec"],
        **changes,
    }
    return header


SPECS: dict[str, dict[str, Any]] = {
    "kind unknown": {"kind": "text"},
    "member unknown": {"zz": 1},
    "edges empty": {"edges": []},
    "edges unordered": {"edges": [3, 2]},
    "edges equal": {"edges": [2, 2]},
    "edges of texts": {"edges": ["1"]},
    "too many edges": {"edges": list(range(255))},
    "scale too large": {"scale": 13},
    "scale negative": {"scale": -1},
    "name in upper case": {"name": "Margin"},
    "name with a slash": {"name": "a/b"},
    "name empty": {"name": ""},
}


@pytest.mark.parametrize("changes", SPECS.values(), ids=SPECS.keys())
def test_bad_specification_is_refused(changes: dict[str, Any]):
    _refused(ErrorCode.SCORECARD_INVALID, lambda: _parsed(_with_spec(**changes)))


def test_nothing_is_named_twice():
    department = _header()["departments"][0]
    twice = {**department, "columns": department["columns"][:1] * 2}
    _refused(ErrorCode.SCORECARD_INVALID, lambda: _parsed(_header(departments=[department, department])))
    _refused(ErrorCode.SCORECARD_INVALID, lambda: _parsed(_header(departments=[twice])))


def test_bounds_of_departments_and_columns():
    department = _header()["departments"][0]
    many = [{**department, "id": f"d{number}"} for number in range(65)]
    _refused(ErrorCode.INVALID_ARGUMENT_FIELD, lambda: _parsed(_header(departments=many)))
    column = department["columns"][0]
    columns = [{**column, "spec": {**column["spec"], "name": f"c{number}"}} for number in range(MAX_COLUMNS + 1)]
    _refused(
        ErrorCode.INVALID_ARGUMENT_FIELD, lambda: _parsed(_header(departments=[{**department, "columns": columns}]))
    )
    _refused(ErrorCode.INVALID_ARGUMENT_FIELD, lambda: _parsed(_header(departments=[{**department, "columns": []}])))


# Header and weights.


def test_weights_of_another_scorecard():
    error = _refused(ErrorCode.SCORECARD_INVALID, lambda: Scorecard(SCORECARD.header, _weights(bias=601)))
    assert error.field == "header.weights_commitment"


@pytest.mark.parametrize(
    "change",
    [
        lambda entries: entries[::-1],
        lambda entries: entries[:2],
        lambda entries: [*entries, entries[0]],
        lambda entries: [{**entries[0], "points": entries[0]["points"][:-1]}, *entries[1:]],
        lambda entries: [{**entries[0], "column": "other"}, *entries[1:]],
        lambda entries: [{**entries[0], "department": "customs"}, *entries[1:]],
    ],
    ids=["reversed", "one short", "one more", "a point short", "another column", "another department"],
)
def test_weights_fit_the_columns_exactly(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]):
    weights = _weights(weights=change(SCORECARD.weights.model_dump(mode="json")["weights"]))
    error = _refused(ErrorCode.SCORECARD_INVALID, lambda: Scorecard(_committing(weights), weights))
    assert error.field == "weights.weights"


@pytest.mark.parametrize(
    "changes",
    [
        {"score_low": SCORECARD.header.score_low - 1},
        {"score_low": SCORECARD.header.score_low + 1},
        {"score_high": SCORECARD.header.score_high + 1},
        {"score_high": SCORECARD.header.score_high - 1},
        {"slot_bits": SCORECARD.header.slot_bits + 1},
        {"slot_bits": SCORECARD.header.slot_bits - 1},
    ],
)
def test_declared_range_is_the_exact_one(changes: dict[str, int]):
    header = _parsed(_header(**changes))
    _refused(ErrorCode.SCORECARD_RANGE, lambda: Scorecard(header, SCORECARD.weights))


def test_a_point_wider_than_declared():
    header = _parsed(_header(weight_bits=5))
    _refused(ErrorCode.SCORECARD_RANGE, lambda: Scorecard(header, SCORECARD.weights))


def test_exact_range_by_hand():
    columns = [BinnedColumn("a", 0, (0, 10)), NumericColumn("b", 0, -5, 5)]
    weights = ScorecardWeights(
        v=1,
        salt="0" * 64,
        bias=100,
        weights=[
            {"department": "tax", "column": "a", "points": [1, -2, 3, 0]},
            {"department": "tax", "column": "b", "points": [-4, 7]},
        ],
    )
    assert exact_range(columns, weights, 8, "weights") == (100 - 2 - 40, 100 + 3 + 7)


@pytest.mark.parametrize(
    "changes",
    [{"v": True}, {"salt": "0" * 63}, {"bias": 2**48 + 1}, {"bias": "0"}, {"weights": []}, {"zz": 1}],
)
def test_bad_weights_are_refused(changes: dict[str, Any]):
    _refused(ErrorCode.INVALID_ARGUMENT_FIELD, lambda: _weights(**changes))
