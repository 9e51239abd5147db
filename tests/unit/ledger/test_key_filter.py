"""The filter of idempotency keys: never wrong about a key that it has, and seldom undecided about another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.storage import key_filter
from ledger.storage.key_filter import KeyFilter

KEYS = [f"query.decision {number:032x}" for number in range(20_000)]


@given(st.lists(st.text()), st.lists(st.text()))
def test_a_key_that_was_added_is_never_denied(at_first: list[str], later: list[str]) -> None:
    filtered = KeyFilter(at_first, len(at_first))
    for key in later:
        filtered.add(key)
    assert all(map(filtered.may_have, at_first + later))


def test_hardly_any_other_key_is_taken_for_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """As full as it is made for: sixteen bits a key and three places say 0.5 %."""
    monkeypatch.setattr(key_filter, "LEAST_KEYS", 1)
    monkeypatch.setattr(key_filter, "ROOM", 1)
    filtered = KeyFilter(KEYS[:8192], 8192)
    assert not any(map(KeyFilter([], 0).may_have, KEYS))
    assert sum(map(filtered.may_have, KEYS[8192:])) < 0.02 * len(KEYS[8192:])


def test_with_more_keys_than_it_was_made_for_it_is_still_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_filter, "LEAST_KEYS", 1)
    filtered = KeyFilter([], 0)
    for key in KEYS:
        filtered.add(key)
    assert all(map(filtered.may_have, KEYS))
