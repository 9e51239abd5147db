"""Bundles of evidence that hold, and how a forger writes one that does not: in every byte as if it did."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ledger.entry import canonical_json, leaf_hash
from ledger.evidence import Finding, Material, Told, Verdict, open_note, prefix_of_receipt
from ledger.evidence_folder import FORMAT, make_bundle, members
from ledger.evidence_material import material_files
from ledger.evidence_words import lines
from ledger.note import Note
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from tests.support.forked_log import EARLIER, LATER, forked
from tests.support.witnessed_log import policy_text
from tests.vectors.ledger.log import Files, with_sums

POLICY = LogPolicy.parse(policy_text())


def bundles() -> dict[str, Files]:
    """One of each verdict, and what is at the edge of a rule."""
    return {name: _bundle(material) for name, material in materials().items()}


def materials() -> dict[str, Material]:
    fork = forked(3, 9, 13)
    receipts = fork.honest.receipt(5, EARLIER), fork.other.receipt(5, LATER)
    last = fork.other.receipt(6, LATER)
    notes = [TlogProof.parse(receipt.proof).note for receipt in (*receipts, last)]
    known = fork.honest.note(EARLIER, size=7)
    undated = fork.honest.note(EARLIER, witnesses=()), fork.honest.note(EARLIER, size=5, witnesses=())
    return {
        "same-size": Material(fork.honest.note(EARLIER), forked(3, 9, 9).other.note(LATER)),
        "other-prefix": Material(known, notes[2], prefix=prefix_of_receipt(7, last)),
        "other-entry": Material(notes[0], notes[1], receipts=receipts),
        "rollback": Material(fork.honest.note(EARLIER), fork.honest.note(LATER, size=5)),
        "rollback-told": Material(*undated, told=Told("department tax", LATER + timedelta(seconds=1))),
        "unanswered": Material(fork.honest.note(EARLIER, size=8), fork.other.note(LATER), answer=(bytes(32),)),
        "same-size-other-witnesses": asymmetric(),
        "other-entry-no-entry": of_bytes_that_are_no_entry(b'{"of":"another format"}'),
        "rollback-told-wrapped": Material(*undated, told=Told(f'{{first}} "\\" {"x " * 60}{"y" * 120}', LATER)),
    }


def asymmetric() -> Material:
    """Of the four witnesses, two cosigned both notes and one each of them."""
    others = "customs", "courts", "regulator"
    return Material(forked(3, 9, 9).honest.note(EARLIER), forked(3, 9, 9).other.note(LATER, witnesses=others))


def of_bytes_that_are_no_entry(leaf: bytes) -> Material:
    """The log signed a leaf that its format does not know."""
    fork = forked(3, 9, 9)
    fork.other.leaves[8] = leaf
    fork.other._hashes[8] = leaf_hash(leaf)
    receipts = fork.honest.receipt(8, EARLIER), fork.other.receipt(8, LATER)
    first, second = (TlogProof.parse(receipt.proof).note for receipt in receipts)
    return Material(first, second, receipts=receipts)


def _bundle(material: Material) -> Files:
    with TemporaryDirectory() as folder:
        make_bundle(Path(folder, "bundle"), material, POLICY)
        return {path.name: path.read_bytes() for path in sorted(Path(folder, "bundle").iterdir())}


def forged(material: Material, verdict: Verdict, keys: str = "", policy: LogPolicy = POLICY, **more: Any) -> Files:
    """The bundle that would say so, if it held: all that follows from this finding, right to the sums."""
    notes = material.first, material.second
    keys = keys or keys_of(*notes, policy=policy)
    first, second = (open_note(note, LogPolicy.parse(keys)) for note in notes)
    conclusive = verdict is not Verdict.UNANSWERED and "told" not in more
    return written(material, Finding(verdict, conclusive, first, second, **more), keys)


def written(material: Material, finding: Finding, keys: str) -> Files:
    """What follows from a finding, whether it holds or not."""
    manifest = canonical_json({"format": FORMAT, **members(finding)}) + b"\n"
    explanation = "".join(f"{line}\n" for line in lines(finding)).encode()
    files = {"keys.txt": keys.encode(), "manifest.json": manifest, "explanation.txt": explanation}
    return with_sums({**material_files(material), **files})


def keys_of(*notes: bytes, policy: LogPolicy = POLICY) -> str:
    """`keys.txt` of these notes."""
    parsed = [Note.parse(note) for note in notes]
    logs = sorted(f"log {key}\n" for key in policy.logs if any(key.find(note) for note in parsed))
    known = sorted(policy.witnesses.values(), key=lambda key: key.name)
    signed = [f"witness {key.name} {key}\n" for key in known if any(key.find(note) for note in parsed)]
    return "".join([*logs, *signed, "quorum none\n"])
