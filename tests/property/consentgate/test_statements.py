"""Statements over their whole domain: what is allowed reads back, all else is a named refusal, nothing is a float."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode
from consentgate.statements import Claims
from tests.property.consentgate.claims import STATEMENTS

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=6,
)
FRACTIONS = st.floats(allow_nan=True, allow_infinity=True)


@given(STATEMENTS)
def test_round_trip(statement: tuple[type[Claims], dict[str, Any]]):
    model, claims = statement
    parsed = model.parse(canonical.encode(claims), "part")
    assert json.loads(parsed.payload()) == claims
    assert model.parse(parsed.payload(), "part") == parsed


@given(STATEMENTS)
def test_no_float_anywhere(statement: tuple[type[Claims], dict[str, Any]]):
    model, claims = statement
    payload = model.parse(canonical.encode(claims), "part").payload()
    json.loads(payload, parse_float=_no_float, parse_constant=_no_float)


@given(STATEMENTS, FRACTIONS, st.data())
def test_a_float_in_any_place_is_refused(statement: tuple[type[Claims], dict[str, Any]], fraction: float, data):
    """Also one that is a whole number: two readers could write it differently."""
    model, claims = statement
    name = data.draw(st.sampled_from(sorted(claims)))
    payload = json.dumps({**claims, name: fraction}).encode()
    _refused(model, payload)


@given(STATEMENTS, ANYTHING, st.data())
def test_another_value_is_accepted_as_it_is_or_refused_by_name(statement, value: Any, data):
    """Never repaired, never an exception of another kind."""
    model, claims = statement
    name = data.draw(st.sampled_from(sorted(claims)))
    payload = json.dumps({**claims, name: value}).encode()
    parsed = _parsed(model, payload)
    if parsed is not None:
        again = json.loads(parsed.payload())[name]
        assert (type(again), again) == (type(value), value)


@given(STATEMENTS, st.text(max_size=8), ANYTHING)
def test_another_claim_is_refused(statement, name: str, value: Any):
    model, claims = statement
    if name not in claims:
        _refused(model, json.dumps({**claims, name: value}).encode())


@given(STATEMENTS, st.data())
def test_statements_of_other_kinds_do_not_parse(statement, data):
    """Whatever `typ` said: no set of claims fits two kinds."""
    model, claims = statement
    other, _ = data.draw(STATEMENTS)
    if other is not model:
        _refused(other, canonical.encode(claims))


@given(st.binary(max_size=200), st.sampled_from(Claims.__subclasses__()))
def test_arbitrary_bytes_are_refused(payload: bytes, model: type[Claims]):
    _refused(model, payload)


def _parsed(model: type[Claims], payload: bytes) -> Claims | None:
    """None for the one kind of refusal that there may be."""
    try:
        return model.parse(payload, "part")
    except ConsentgateError as error:
        if error.code is not ErrorCode.INVALID_ARGUMENT_FIELD or not str(error.field).startswith("part"):
            raise
        return None


def _refused(model: type[Claims], payload: bytes) -> None:
    with pytest.raises(ConsentgateError) as caught:
        model.parse(payload, "part")
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT_FIELD


def _no_float(text: str) -> object:
    raise AssertionError(f"a fraction on the wire: {text}")
