"""Leaves are RFC 8785: the npm package canonicalize writes each of them as the same bytes, and no mutation of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger.entry import parse
from ledger.errors import EntryInvalid
from tests.conformance.strangers import HERE, node, npm_packages
from tests.support.flipped_bits import flipped
from tests.support.sample_log import sample_log
from tests.vectors.ledger import generate

pytestmark = pytest.mark.oracles


def same_bytes(leaves: list[bytes]) -> list[bool]:
    """Whether the stranger writes what it reads from each leaf as exactly these bytes."""
    lines = "".join(json.dumps(leaf.hex()) + "\n" for leaf in leaves)
    done = node(HERE / "oracles" / "canonicalize.mjs", npm_packages(), input=lines)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) == len(leaves)
    return answers


def test_every_leaf_is_canonical() -> None:
    entries = Path(generate.__file__).parent / "good" / "export" / "entries" / "000000000000.jsonl"
    assert all(same_bytes([*sample_log().leaves, *entries.read_bytes().splitlines()]))


def test_what_is_not_canonical_is_not_a_leaf() -> None:
    """Each bit of a leaf flipped: what the stranger does not call canonical, we refuse."""
    mutations = list(flipped(sample_log().leaves[3]))
    refused = [mutated for mutated, same in zip(mutations, same_bytes(mutations), strict=True) if not same]
    assert len(refused) > 1500
    for mutated in refused:
        with pytest.raises(EntryInvalid):
            parse(mutated)
