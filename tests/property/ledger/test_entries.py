"""Leaf bytes are RFC 8785's, are read back, and nothing else is read as a leaf."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from unittest import mock

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from ledger import entry as entry_module
from ledger.entry import Entry, assemble, encode, leaf_pattern, parse
from ledger.errors import EntryInvalid
from ledger.kinds import KINDS, Form
from tests.property.ledger.strategies import ENTRIES, KIND_AND_BODY
from tests.support.flipped_bits import with_flipped_bit
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
    leaf = encode(entry)
    altered = with_flipped_bit(leaf, data.draw(st.integers(0, 8 * len(leaf) - 1)))
    try:
        found = parse(altered)
    except EntryInvalid:
        with pytest.raises(independent.Refused):
            independent.parse_leaf(altered)
    else:
        assert found != entry
        assert independent.parse_leaf(altered) == asdict(found)


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


@contextlib.contextmanager
def without_shortcut() -> Iterator[None]:
    """Every field is checked, and every leaf encoded again."""
    with mock.patch.object(entry_module, "_is_well_spelled", return_value=False):
        yield


def outcome(call: Callable[[], object]) -> object:
    """What a call gives, or the field that it refuses."""
    try:
        return call()
    except EntryInvalid as error:
        return f"refused: {error.field}"


@given(st.sampled_from(list(FORMS.values())), st.data())
def test_whatever_has_a_forms_spelling_is_good_and_canonical(form: Form, data: st.DataObject) -> None:
    spelling = data.draw(st.from_regex(form.spelling, fullmatch=True))
    value = json.loads(spelling)
    form.check(value, "field")
    assert rfc8785.dumps(value).decode() == spelling


@given(st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.from_regex(leaf_pattern(kind), fullmatch=True)))
def test_whatever_is_spelled_as_a_leaf_is_a_leaf(leaf: bytes) -> None:
    found = parse(leaf)
    assert independent.parse_leaf(leaf) == asdict(found)
    with without_shortcut():
        assert parse(leaf) == found
    assert encode(found) == leaf


@given(ENTRIES, st.data())
def test_the_shortcut_changes_no_verdict_on_damaged_leaves(entry: Entry, data: st.DataObject) -> None:
    leaf = bytearray(encode(entry))
    start = data.draw(st.integers(0, len(leaf)))
    end = data.draw(st.integers(start, min(len(leaf), start + 12)))
    filling = st.from_regex(rb'[0-9a-z"{},:\[\].T-]{0,12}', fullmatch=True)
    leaf[start:end] = data.draw(filling | st.binary(max_size=3) | st.just(bytes(leaf[start:end]) * 2))
    found = outcome(lambda: parse(bytes(leaf)))
    with without_shortcut():
        assert outcome(lambda: parse(bytes(leaf))) == found


def assembled(entry: Entry) -> object:
    e = entry
    return outcome(lambda: assemble(e.log, e.seq, e.prev, e.ts, e.kind, e.nonce, e.body))


@given(ENTRIES, st.data())
def test_the_log_assembles_the_leaf_that_is_encoded(entry: Entry, data: st.DataObject) -> None:
    members = list(entry.body.items())
    shuffled = replace(entry, body=dict(data.draw(st.permutations(members))))
    assert assembled(shuffled) == encode(shuffled) == encode(entry)


ANYTHING = st.recursive(
    SURPRISES | st.integers() | st.text(max_size=8) | st.binary(max_size=3) | st.just("\ud800"),
    lambda members: (
        st.lists(members, max_size=3)
        | st.lists(members, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=8) | st.integers() | st.none(), members, max_size=3)
    ),
    max_leaves=8,
)


@given(ENTRIES, st.data())
def test_the_log_refuses_what_is_refused_and_by_the_same_name(entry: Entry, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["kind", "body", *entry.body]))
    surprise = data.draw(ANYTHING)
    changed = {name: surprise} if name in ("kind", "body") else {"body": {**entry.body, name: surprise}}
    other = replace(entry, **changed)
    assert assembled(other) == outcome(lambda: encode(other))
