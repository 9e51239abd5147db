"""Reading a log in order: gaps, swaps and foreign leaves are named."""

from __future__ import annotations

import pytest

from ledger.chain import Chain
from ledger.entry import ZERO_HASH, leaf_hash
from ledger.errors import ConsistencyInvalid, EntryInvalid, LogMismatch
from ledger.merkle import EMPTY_ROOT, root
from tests.support.sample_log import sample_log
from tests.support.witnessed_log import ORIGIN

LEAVES = sample_log().leaves


def test_empty_chain() -> None:
    chain = Chain(ORIGIN)
    assert (chain.size, chain.last, chain.root()) == (0, ZERO_HASH, EMPTY_ROOT)
    assert chain.extend([]) == (chain, [])


@pytest.mark.parametrize("cut", range(len(LEAVES) + 1))
def test_grows_in_any_steps(cut: int) -> None:
    first, entries = Chain(ORIGIN).extend(LEAVES[:cut])
    second, further = first.extend(LEAVES[cut:])
    assert second == Chain(ORIGIN).extend(LEAVES)[0]
    assert [entry.seq for entry in entries + further] == list(range(len(LEAVES)))
    assert second.root() == root([leaf_hash(leaf) for leaf in LEAVES])
    assert second.last == leaf_hash(LEAVES[-1]).hex()


def test_a_refused_extension_leaves_the_chain_as_it_was() -> None:
    chain, _ = Chain(ORIGIN).extend(LEAVES[:4])
    before = (chain.size, chain.last, chain.root())
    with pytest.raises(ConsistencyInvalid):
        chain.extend([LEAVES[4], LEAVES[6]])
    assert (chain.size, chain.last, chain.root()) == before


@pytest.mark.parametrize(
    ("leaves", "message"),
    [
        (LEAVES[1:], "leaf 0 is missing or out of order"),
        ([*LEAVES[:3], *LEAVES[4:]], "leaf 3 is missing or out of order"),
        ([*LEAVES[:3], LEAVES[2]], "leaf 3 is missing or out of order"),
        ([LEAVES[0], LEAVES[1].replace(b"bank-a", b"bank-b"), LEAVES[2]], "leaf 2 does not name the hash"),
    ],
)
def test_gap_swap_and_alteration(leaves: list[bytes], message: str) -> None:
    with pytest.raises(ConsistencyInvalid, match=message):
        Chain(ORIGIN).extend(leaves)


def test_leaf_of_another_log() -> None:
    with pytest.raises(LogMismatch, match="leaf 0"):
        Chain("other.test/ledger").extend(LEAVES)


def test_malformed_leaf_is_named() -> None:
    with pytest.raises(EntryInvalid) as raised:
        Chain(ORIGIN).extend([LEAVES[0], LEAVES[1] + b" "])
    assert (raised.value.leaf, raised.value.field) == (1, "leaf")
