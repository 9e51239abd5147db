"""The history of a subject: what docs/ledger-format.md, section 14, says, computed anew here."""

from __future__ import annotations

import hashlib
import json

import pytest

from ledger.entry import ZERO_HASH, leaf_hash, parse
from ledger.history import SubjectHistory, subject_of
from tests.support.sample_log import sample_log

SAMPLE = sample_log().leaves
TOKENS = sorted({token for leaf in SAMPLE if (token := json.loads(leaf)["body"].get("subject"))})


def as_the_page_says(token: str, leaves: list[bytes]) -> tuple[int, str]:
    """With nothing but SHA-256 and JSON."""
    history, count = bytes(32), 0
    for leaf in leaves:
        if json.loads(leaf)["body"].get("subject") == token:
            history = hashlib.sha256(b"\x03" + history + hashlib.sha256(b"\x00" + leaf).digest()).digest()
            count += 1
    return count, history.hex()


def history(token: str, leaves: list[bytes]) -> SubjectHistory:
    found = SubjectHistory()
    for leaf in leaves:
        if subject_of(parse(leaf)) == token:
            found = found.followed_by(leaf_hash(leaf))
    return found


@pytest.mark.parametrize("token", [*TOKENS, "0" * 32])
def test_it_is_what_the_page_says(token: str) -> None:
    found = history(token, SAMPLE)
    assert (found.entries, found.digest) == as_the_page_says(token, SAMPLE)


def test_the_sample_is_worth_counting() -> None:
    assert max(history(token, SAMPLE).entries for token in TOKENS) > 1
    assert any(subject_of(parse(leaf)) is None for leaf in SAMPLE)


def test_none_is_zeros() -> None:
    assert SubjectHistory() == SubjectHistory(0, ZERO_HASH)


def test_each_leaf_left_out_repeated_or_moved_shows() -> None:
    hashes = [leaf_hash(leaf) for leaf in SAMPLE[:5]]

    def over(order: list[bytes]) -> str:
        found = SubjectHistory()
        for one in order:
            found = found.followed_by(one)
        return found.digest

    altered = [hashes[:index] + hashes[index + 1 :] for index in range(5)]
    altered += [[*hashes[:index], hashes[index], *hashes[index:]] for index in range(5)]
    altered += [[*hashes[:index], hashes[index + 1], hashes[index], *hashes[index + 2 :]] for index in range(4)]
    assert len({over(order) for order in [hashes, *altered]}) == 15
