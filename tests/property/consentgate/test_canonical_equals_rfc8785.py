"""Inside the profile our bytes are RFC 8785's, as an independent implementation computes them."""

from __future__ import annotations

import json

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from consentgate import canonical

NAMES = st.text(st.characters(max_codepoint=127), max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
INTEGERS = st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
VALUES = st.recursive(
    st.booleans() | INTEGERS | TEXTS,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(NAMES, children, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)


@given(OBJECTS)
def test_encode_equals_rfc8785(value):
    assert canonical.encode(value) == rfc8785.dumps(value)


@given(OBJECTS)
def test_parse_inverts_encode(value):
    assert canonical.parse_canonical(canonical.encode(value), "field") == value


@given(OBJECTS)
def test_any_reader_reads_the_same(value):
    assert json.loads(canonical.encode(value)) == value
