"""A second reader of evidence, written from docs/ledger-format.md section 15 alone: it finds the verdict from notes,
receipts and proofs by the reader's own policy. Manifest, explanation, keys and sums it does not need.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import NamedTuple

from tests.vectors.ledger.independent import (
    Policy,
    Refused,
    check_consistency,
    check_inclusion,
    leaf_hash,
    parse_note,
    require,
)

Files = Mapping[str, bytes]


class Verdict(NamedTuple):
    """What the bundle shows, and whether it needs nobody's word."""

    name: str
    conclusive: bool


def judge(files: Files, policy_text: str) -> Verdict:
    """Raises Refused for a bundle that shows nothing."""
    policy = Policy(policy_text)
    policy.quorum = "none"  # no quorum is asked for
    first, second = files["first.note"], files["second.note"]
    (origin, size, root, _), (other_origin, other_size, other_root, _) = policy.open(first), policy.open(second)
    require(origin == other_origin and size <= other_size, "two checkpoints of one log, the smaller first")
    if "first.leaf" in files:
        _two_entries(files, (size, root), (other_size, other_root))
        return Verdict("other-entry", True)
    if size == other_size:
        require(root != other_root, "the same tree")
        return Verdict("same-size", True)
    if "prefix.proof" in files:
        head, start, *hashes = files["prefix.proof"].decode().splitlines()
        require(head == f"size {size}", "size")
        proof = [base64.b64decode(line) for line in hashes]
        check_consistency(size, other_size, base64.b64decode(start), other_root, proof)
        require(base64.b64decode(start) != root, "the larger continues the smaller")
        return Verdict("other-prefix", True)
    smaller, larger = _times(policy, first), _times(policy, second)
    if any(smaller[name] > larger[name] for name in smaller.keys() & larger.keys()):
        return Verdict("rollback", False)
    require("told.json" in files or "answer.proof" in files, "nothing is shown")
    return Verdict("rollback" if "told.json" in files else "unanswered", False)


def _two_entries(files: Files, *trees: tuple[int, bytes]) -> None:
    found = []
    for side, (size, root) in zip(("first", "second"), trees, strict=True):
        head, _, note = files[f"{side}.proof"].partition(b"\n\n")
        require(note == files[f"{side}.note"], "a receipt under another checkpoint")
        header, index, *path = head.decode().split("\n")
        require(header == "c2sp.org/tlog-proof@v1" and index.startswith("index "), "receipt")
        digest, number = leaf_hash(files[f"{side}.leaf"]), int(index.removeprefix("index "))
        check_inclusion(number, size, digest, [base64.b64decode(line) for line in path], root)
        found.append((number, digest))
    require(found[0][0] == found[1][0] and found[0][1] != found[1][1], "two entries of one index")


def _times(policy: Policy, note: bytes) -> dict[str, int]:
    text, signatures = parse_note(note)
    found = {}
    for name, key in policy.witnesses.items():
        mine = [signature for owner, key_id, signature in signatures if (owner, key_id) == (key.name, key.id)]
        if mine:
            found[name] = key.verify(text, mine[0])
    return found


__all__ = ["Refused", "Verdict", "judge"]
