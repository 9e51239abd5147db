"""A second reader of evidence, written from docs/ledger-format.md section 15 alone: it finds the verdict from notes,
receipts and proofs by the reader's own policy. Manifest, explanation, keys and sums it does not need.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from tests.vectors.ledger.independent import (
    Policy,
    Refused,
    check_consistency,
    check_inclusion,
    has_form,
    leaf_hash,
    parse_note,
    require,
)

Files = Mapping[str, bytes]
RECEIPTS = ("first.leaf", "first.proof", "second.leaf", "second.proof")


class Verdict(NamedTuple):
    """What the bundle shows, and whether it needs nobody's word."""

    name: str
    conclusive: bool


def judge(files: Files, policy_text: str) -> Verdict:
    """Raises Refused for a bundle that shows nothing."""
    policy = Policy(policy_text)
    policy.quorum = "none"  # no quorum is asked for
    first, second, hashes = *_notes(files), _parts(files)
    (origin, size, root, _), (other_origin, other_size, other_root, _) = policy.open(first), policy.open(second)
    require(origin == other_origin and size <= other_size, "two checkpoints of one log, the smaller first")
    if "first.leaf" in files:
        _two_entries(files, (size, root), (other_size, other_root))
        return Verdict("other-entry", True)
    if size == other_size:
        require(root != other_root, "the same tree")
        return Verdict("same-size", True)
    if "prefix.proof" in files:
        require(files["prefix.proof"].startswith(f"size {size}\n".encode()), "size")
        start, *proof = hashes["prefix.proof"]
        check_consistency(size, other_size, start, other_root, proof)
        require(start != root, "the larger continues the smaller")
        return Verdict("other-prefix", True)
    smaller, larger = _times(policy, first), _times(policy, second)
    if any(smaller[name] > larger[name] for name in smaller.keys() & larger.keys()):
        return Verdict("rollback", False)
    require("told.json" in files or "answer.proof" in files, "nothing is shown")
    if "answer.proof" in files:
        require(not _holds(size, other_size, root, other_root, hashes["answer.proof"]), "the answer holds")
    return Verdict("rollback" if "told.json" in files else "unanswered", False)


def _holds(size: int, other_size: int, root: bytes, other_root: bytes, answer: list[bytes]) -> bool:
    try:
        check_consistency(size, other_size, root, other_root, answer)
    except Refused:
        return False
    return True


def _notes(files: Files) -> tuple[bytes, bytes]:
    require("first.note" in files and "second.note" in files, "notes")
    return files["first.note"], files["second.note"]


def _parts(files: Files) -> dict[str, list[bytes]]:
    """Step 1: the form of what is there; the hashes of each file of hashes."""
    receipts = [name for name in RECEIPTS if name in files]
    require(not receipts or len(receipts) == len(RECEIPTS), "receipts")
    require(all(len(files[name]) <= 16384 for name in receipts if name.endswith(".leaf")), "leaf")
    if "told.json" in files:
        _check_told(files["told.json"])
    found = {}
    for name in ("prefix.proof", "answer.proof"):
        *lines, rest = files.get(name, b"").split(b"\n")
        if name == "prefix.proof" and name in files:
            require(lines and re.fullmatch(rb"size (0|[1-9][0-9]{0,15})", lines.pop(0)) and lines, name)
        require(not rest and len(lines) <= 64, name)
        found[name] = _hashes(lines)
    return found


def _check_told(data: bytes) -> None:
    try:
        told = json.loads(data)
    except ValueError:
        raise Refused("told.json") from None
    require(type(told) is dict and set(told) == {"by", "seen_at"} and type(told["by"]) is str, "told.json")
    require(len(told["by"]) <= 255 and re.fullmatch(r"[!-~]+( [!-~]+)*", told["by"]), "told.json")
    require(has_form(told["seen_at"], "time"), "told.json")
    require(json.dumps(told, sort_keys=True, separators=(",", ":")).encode() + b"\n" == data, "told.json")


def _hashes(lines: list[bytes]) -> list[bytes]:
    require(all(re.fullmatch(rb"[A-Za-z0-9+/]{43}=", line) for line in lines), "hashes")
    found = [base64.b64decode(line) for line in lines]
    require([base64.b64encode(value) for value in found] == lines, "hashes")
    return found


def _two_entries(files: Files, *trees: tuple[int, bytes]) -> None:
    found = []
    for side, (size, root) in zip(("first", "second"), trees, strict=True):
        head, _, note = files[f"{side}.proof"].partition(b"\n\n")
        require(note == files[f"{side}.note"], "a receipt under another checkpoint")
        receipt = re.fullmatch(rb"c2sp\.org/tlog-proof@v1\nindex (0|[1-9][0-9]{0,15})((\n[^\n]+)*)", head)
        require(receipt, "receipt")
        number, path = int(receipt[1]), _hashes(receipt[2].split(b"\n")[1:])  # type: ignore[index]
        digest = leaf_hash(files[f"{side}.leaf"])
        check_inclusion(number, size, digest, path, root)
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
