"""Canonical JSON: the exact bytes, and every spelling that is refused."""

from __future__ import annotations

import hashlib

import pytest

from consentgate import canonical
from consentgate.errors import ConsentgateError, ErrorCode

OUTSIDE_PROFILE = {
    "float": {"a": 1.0},
    "null": {"a": None},
    "integer above 2^53-1": {"a": 2**53},
    "integer below -(2^53-1)": {"a": -(2**53)},
    "name that is no text": {1: "a"},
    "name outside ascii": {"é": 1},
    "bytes": {"a": b"x"},
    "set": {"a": {1}},
    "lone surrogate": {"a": "\ud800"},
    "nested too deeply": {"a": [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]},
}

NOT_ONE_OBJECT = {
    "empty": b"",
    "no json": b"{",
    "array": b"[]",
    "two objects": b"{}{}",
    "latin-1": '{"a":"é"}'.encode("latin-1"),
    "utf-16": '{"a":1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "duplicate name": b'{"a":1,"a":1}',
    "duplicate name inside": b'{"a":{"b":1,"b":2}}',
    "duplicate name by escape": b'{"a":1,"\\u0061":2}',
    "fraction": b'{"a":1.0}',
    "exponent": b'{"a":1e3}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "thousand levels": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "number of five thousand digits": b'{"a":' + b"9" * 5000 + b"}",
}

NOT_CANONICAL = {
    "white space": b'{"a": 1}',
    "trailing newline": b'{"a":1}\n',
    "unsorted": b'{"b":1,"a":1}',
    "escaped slash": b'{"a":"\\/"}',
    "escaped letter": b'{"a":"\\u0061"}',
    "upper-case escape": b'{"a":"\\u001F"}',
    "ascii escape of a letter outside ascii": b'{"a":"\\u00e9"}',
    "negative zero": b'{"a":-0}',
    "null": b'{"a":null}',
    "lone surrogate": b'{"a":"\\ud800"}',
    "nested too deeply": b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
}


def test_sorted_compact_utf8():
    value = {"b": [True, False, 'é\n\x01"\\/'], "a": {"d": -1, "c": 2**53 - 1}}
    expected = '{"a":{"c":9007199254740991,"d":-1},"b":[true,false,"é\\n\\u0001\\"\\\\/"]}'
    assert canonical.encode(value) == expected.encode()


def test_parse_canonical_returns_what_was_encoded():
    value = {"a": [1, "x", {"b": True}], "c": {}}
    assert canonical.parse_canonical(canonical.encode(value), "field") == value


def test_deepest_nesting():
    value: object = 1
    for _ in range(canonical.MAX_DEPTH):
        value = [value]
    assert canonical.encode(value) == b"[" * 16 + b"1" + b"]" * 16
    with pytest.raises(ConsentgateError):
        canonical.encode([value])


def test_parse_accepts_white_space_and_order():
    assert canonical.parse(b'{ "b": 1, "a": 2 }', "field") == {"a": 2, "b": 1}


def test_digest_is_sha256_hex():
    assert canonical.digest(b"abc") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("value", OUTSIDE_PROFILE.values(), ids=OUTSIDE_PROFILE.keys())
def test_encode_refuses(value):
    with pytest.raises(ConsentgateError) as caught:
        canonical.encode(value)
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT_FIELD


@pytest.mark.parametrize("data", NOT_ONE_OBJECT.values(), ids=NOT_ONE_OBJECT.keys())
def test_parse_refuses(data):
    with pytest.raises(ConsentgateError) as caught:
        canonical.parse(data, "some_field")
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT_FIELD
    assert caught.value.field == "some_field"


@pytest.mark.parametrize("data", NOT_CANONICAL.values(), ids=NOT_CANONICAL.keys())
def test_parse_canonical_refuses(data):
    with pytest.raises(ConsentgateError) as caught:
        canonical.parse_canonical(data, "some_field")
    assert caught.value.code is ErrorCode.INVALID_ARGUMENT_FIELD


def test_errors_name_the_place_but_no_value():
    with pytest.raises(ConsentgateError) as caught:
        canonical.encode({"outer": [{"inner": 3.14159}]})
    assert caught.value.field == "value.outer[0].inner"
    assert "3.14159" not in str(caught.value)
