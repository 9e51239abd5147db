"""Bundles of evidence, and bad ones: what they differ in, with sums that are right again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from ledger.evidence import Material, Told, prefix_of_receipt
from ledger.evidence_folder import make_bundle
from ledger.policy import LogPolicy
from ledger.proof import TlogProof
from tests.support.forked_log import EARLIER, LATER, forked
from tests.support.witnessed_log import policy_text

SUMS = "SHA256SUMS"
Files = dict[str, bytes]


@dataclass(frozen=True)
class EvidenceCase:
    """A bundle that must be refused."""

    name: str
    of: str
    error: str
    files: Files


def bundles() -> dict[str, Files]:
    """One of each verdict."""
    policy = LogPolicy.parse(policy_text())
    return {name: _bundle(material, policy) for name, material in _materials().items()}


def evidence_cases() -> list[EvidenceCase]:
    """Each with one defect; the sums are a forger's, and right."""
    good = bundles()
    same, prefix, entry, told = (good[name] for name in ("same-size", "other-prefix", "other-entry", "rollback-told"))
    swapped = {**same, "second.note": same["first.note"]}
    cases = [
        ("the same note twice", "same-size", "EvidenceInvalid", swapped),
        (
            "a size in the explanation",
            "same-size",
            "EvidenceInvalid",
            _replaced(same, "explanation.txt", b"  9\n", b"  8\n"),
        ),
        ("conclusive where it is not", "unanswered", "EvidenceInvalid", _conclusive(good["unanswered"])),
        (
            "a manifest of another bundle",
            "same-size",
            "EvidenceInvalid",
            {**same, "manifest.json": prefix["manifest.json"]},
        ),
        ("a size in a note", "same-size", "SignatureInvalid", _replaced(same, "first.note", b"\n9\n", b"\n8\n")),
        ("no key of the log", "same-size", "SignatureInvalid", _replaced(same, "keys.txt", b"log ", b"#og ")),
        ("a key that signed nothing", "same-size", "EvidenceInvalid", {**same, "keys.txt": policy_text().encode()}),
        ("a beginning that the proof does not lead from", "other-prefix", "ConsistencyInvalid", _root(prefix)),
        ("a proof that is too short", "other-prefix", "ConsistencyInvalid", _without_last_line(prefix, "prefix.proof")),
        ("no proof", "other-prefix", "EvidenceInvalid", _without(prefix, "prefix.proof")),
        ("a leaf", "other-entry", "ProofInvalid", _replaced(entry, "second.leaf", b"erasure", b"erasurf")),
        ("one receipt twice", "other-entry", "ProofInvalid", {**entry, "second.proof": entry["first.proof"]}),
        ("the larger tree first", "rollback", "EvidenceInvalid", _swapped(good["rollback"], "note")),
        ("an entry of each other tree", "other-entry", "ProofInvalid", _swapped(entry, "leaf")),
        ("a time that is none", "rollback-told", "EvidenceInvalid", _replaced(told, "told.json", b"T11:", b"T25:")),
        ("a file too many", "same-size", "EvidenceInvalid", {**same, "remark.txt": b"believe me\n"}),
        ("a file too few", "same-size", "EvidenceInvalid", _without(same, "explanation.txt")),
    ]
    summed = [EvidenceCase(name, of, error, _summed(files)) for name, of, error, files in cases]
    return [*summed, EvidenceCase("no sums", "same-size", "EvidenceInvalid", _without(same, SUMS))]


def _materials() -> dict[str, Material]:
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
    }


def _bundle(material: Material, policy: LogPolicy) -> Files:
    with TemporaryDirectory() as folder:
        make_bundle(Path(folder, "bundle"), material, policy)
        return {path.name: path.read_bytes() for path in sorted(Path(folder, "bundle").iterdir())}


def _summed(files: Mapping[str, bytes]) -> Files:
    names = sorted(name for name in files if name != SUMS)
    sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in names]
    return {**files, SUMS: "".join(sums).encode()}


def _replaced(files: Files, name: str, old: bytes, new: bytes) -> Files:
    assert old in files[name]
    return {**files, name: files[name].replace(old, new, 1)}


def _swapped(files: Files, suffix: str) -> Files:
    first, second = f"first.{suffix}", f"second.{suffix}"
    return {**files, first: files[second], second: files[first]}


def _without(files: Files, name: str) -> Files:
    return {other: content for other, content in files.items() if other != name}


def _without_last_line(files: Files, name: str) -> Files:
    return {**files, name: b"".join(files[name].splitlines(keepends=True)[:-1])}


def _root(files: Files) -> Files:
    head, root, *rest = files["prefix.proof"].splitlines(keepends=True)
    return {**files, "prefix.proof": b"".join([head, rest[0], root, *rest[1:]])}


def _conclusive(files: Files) -> Files:
    told = _replaced(files, "manifest.json", b'"conclusive":false', b'"conclusive":true')
    return _replaced(told, "explanation.txt", b"Conclusive: no", b"Conclusive: yes")
