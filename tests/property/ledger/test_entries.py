"""Leaf bytes are RFC 8785's, are read back, and nothing else is read as a leaf."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger.entry import Entry, encode, parse
from ledger.errors import EntryInvalid
from ledger.kinds import KINDS, Form, identifier, timestamp
from tests.property.ledger.strategies import ENTRIES, KIND_AND_BODY
from tests.vectors.ledger import independent

SURPRISES = st.none() | st.booleans() | st.floats() | st.integers(max_value=-1) | st.just("free text") | st.just("Ä")


@given(ENTRIES)
def test_leaf_is_canonical_json_as_others_compute_it(entry: Entry) -> None:
    assert encode(entry) == rfc8785.dumps(asdict(entry))


@given(ENTRIES)
def test_leaf_is_read_back_by_both_implementations(entry: Entry) -> None:
    leaf = encode(entry)
    assert parse(leaf) == entry
    assert independent.parse_leaf(leaf) == asdict(entry)


@given(ENTRIES, st.data())
def test_any_other_spelling_is_refused(entry: Entry, data: st.DataObject) -> None:
    leaf = encode(entry)
    value = json.loads(leaf)
    other = data.draw(
        st.sampled_from(
            [
                json.dumps(value, sort_keys=True).encode(),
                json.dumps(value, sort_keys=True, separators=(",", ":"), indent=0).encode(),
                json.dumps(dict(reversed(value.items())), separators=(",", ":")).encode(),
                leaf + b" ",
                b"\xef\xbb\xbf" + leaf,
                leaf.decode().encode("utf-16"),
            ]
        )
    )
    assert other != leaf
    with pytest.raises(EntryInvalid):
        parse(other)


@given(ENTRIES, st.data())
def test_a_flipped_bit_is_refused_or_another_entry(entry: Entry, data: st.DataObject) -> None:
    """Never the same entry, and both implementations agree."""
    leaf = bytearray(encode(entry))
    position = data.draw(st.integers(0, 8 * len(leaf) - 1))
    leaf[position // 8] ^= 1 << (position % 8)
    try:
        found = parse(bytes(leaf))
    except EntryInvalid:
        with pytest.raises(independent.Refused):
            independent.parse_leaf(bytes(leaf))
    else:
        assert found != entry
        assert independent.parse_leaf(bytes(leaf)) == asdict(found)


@given(st.binary(max_size=400) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(EntryInvalid):
        parse(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda members: st.lists(members, max_size=3) | st.dictionaries(st.text(max_size=8), members, max_size=3),
    max_leaves=8,
)


@given(KIND_AND_BODY, st.text(max_size=20), JSON)
def test_no_kind_takes_a_field_it_does_not_list(kind_and_body: tuple[str, dict], name: str, value: object) -> None:
    kind, body = kind_and_body
    if name in KINDS[kind].required or name in KINDS[kind].optional:
        return
    with pytest.raises(EntryInvalid):
        KINDS[kind].check({**body, name: value})


@given(KIND_AND_BODY.filter(lambda found: bool(found[1])), st.data(), SURPRISES)
def test_no_field_takes_a_surprise(kind_and_body: tuple[str, dict], data: st.DataObject, surprise: object) -> None:
    kind, body = kind_and_body
    name = data.draw(st.sampled_from(sorted(body)))
    with pytest.raises(EntryInvalid) as raised:
        KINDS[kind].check({**body, name: surprise})
    assert raised.value.field == f"body.{name}"


FORMS = {form.text: form for kind in KINDS.values() for form in (*kind.required.values(), *kind.optional.values())}
NEARLY = st.from_regex(
    r"[0-9a-z]{1,19}|[0-9a-z]{2}[0-9]{6}[0-9a-z]{10}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z",
    fullmatch=True,
)


@given(st.sampled_from([*FORMS.values(), identifier, timestamp]), NEARLY | st.text(max_size=70))
def test_a_shortcut_admits_nothing_that_the_check_refuses(form: Form, text: str) -> None:
    if form.admits is not None and form.admits(text):
        form.check(text, "field")


@given(KIND_AND_BODY)
def test_shortcuts_admit_nearly_all_that_is_good(kind_and_body: tuple[str, dict]) -> None:
    """Otherwise they would be of no use: hashes and choices always, and no good value is refused."""
    kind, body = kind_and_body
    for name, value in body.items():
        form = {**KINDS[kind].required, **KINDS[kind].optional}[name]
        if form.text in ("hex16", "hex32", "reason") or form.text.startswith("`"):
            assert form.admits is not None
            assert form.admits(value)
