"""Sealed values: what was sealed opens, in its place and under its key; anything else does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentgate.errors import ConsentgateError, ErrorCode
from gateway.store.sealing import NONCE_BYTES, DataKey, Place

names = st.text(max_size=20)
places = st.builds(Place, names, names, st.lists(names, max_size=3).map(tuple))
keys = st.builds(
    DataKey, st.text(alphabet="0123456789abcdef", min_size=32, max_size=32), st.binary(min_size=32, max_size=32)
)
values = st.binary(max_size=200)


def refused(key: DataKey, place: Place, sealed: bytes) -> None:
    with pytest.raises(ConsentgateError) as caught:
        key.open(place, sealed)
    assert caught.value.code is ErrorCode.STORE_INTEGRITY


@given(keys, places, values)
def test_what_was_sealed_opens(key: DataKey, place: Place, value: bytes) -> None:
    sealed = key.seal(place, value)
    assert key.open(place, sealed) == value
    assert len(sealed) == 1 + NONCE_BYTES + len(value) + 16
    assert key.seal(place, value) != sealed, "never the same twice"


@given(keys, places, values, st.data())
def test_each_flipped_bit_is_noticed(key: DataKey, place: Place, value: bytes, data: st.DataObject) -> None:
    sealed = bytearray(key.seal(place, value))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << (bit % 8)
    refused(key, place, bytes(sealed))


@given(keys, places, values, st.data())
def test_what_was_cut_or_lengthened(key: DataKey, place: Place, value: bytes, data: st.DataObject) -> None:
    sealed = key.seal(place, value)
    refused(key, place, sealed[: data.draw(st.integers(0, len(sealed) - 1))])
    refused(key, place, sealed + data.draw(st.binary(min_size=1, max_size=3)))


@given(keys, places, places, values)
def test_another_place(key: DataKey, place: Place, other: Place, value: bytes) -> None:
    if place != other:
        refused(key, other, key.seal(place, value))


@given(keys, keys, places, values)
def test_another_key_or_another_id(key: DataKey, other: DataKey, place: Place, value: bytes) -> None:
    sealed = key.seal(place, value)
    if key.secret != other.secret:
        refused(other, place, sealed)
    if key.id != other.id:
        refused(DataKey(other.id, key.secret), place, sealed)


def test_names_that_join_to_the_same_text_are_different_places() -> None:
    key = DataKey("0" * 32, bytes(32))
    refused(key, Place("t", "c", ("a", "bc")), key.seal(Place("t", "c", ("ab", "c")), b""))
