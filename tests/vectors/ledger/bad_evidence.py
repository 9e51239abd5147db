"""Bundles of evidence that must be refused: parts of a good one altered, and findings that do not hold.

The sums are a forger's, and right. Where `forged_evidence` is told to, so is every other byte that follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.note import MAX_NOTE
from ledger.proof import MAX_PROOF_BYTES
from tests.support.witnessed_log import log_signer, policy_text
from tests.vectors.ledger.bad_notes import note_of_bytes
from tests.vectors.ledger.evidence import bundles
from tests.vectors.ledger.forged_evidence import forged_cases
from tests.vectors.ledger.log import Files, with_sums

SUMS = "SHA256SUMS"


@dataclass(frozen=True)
class EvidenceCase:
    """A bundle that must be refused: which good one it differs from, and the policy that the reader has."""

    name: str
    of: str
    error: str
    files: Files
    policy: str = policy_text()


def evidence_cases() -> list[EvidenceCase]:
    """Each with one defect."""
    good = bundles()
    altered = [EvidenceCase(name, of, error, with_sums(files)) for name, of, error, files in _altered(good)]
    forged = [EvidenceCase(*case) for case in forged_cases()]
    sums = [
        EvidenceCase(name, "same-size", "EvidenceInvalid", {**good["same-size"], SUMS: changed})
        for name, changed in _sums(good["same-size"][SUMS])
    ]
    unlisted = EvidenceCase(
        "a file that the sums do not name", "same-size", "EvidenceInvalid", {**good["same-size"], "x": b""}
    )
    missing = EvidenceCase("no sums", "same-size", "EvidenceInvalid", _without(good["same-size"], SUMS))
    return [*altered, *forged, *sums, unlisted, missing, *_strangers(good)]


def _altered(good: dict[str, Files]) -> Iterator[tuple[str, str, str, Files]]:
    """Name, of, error, files."""
    same, prefix, entry, told = (good[name] for name in ("same-size", "other-prefix", "other-entry", "rollback-told"))
    conclusive = _conclusive(good["unanswered"])
    yield "the same note twice", "same-size", "EvidenceInvalid", {**same, "second.note": same["first.note"]}
    size = _replaced(same, "explanation.txt", b"  9\n", b"  8\n")
    yield "a size in the explanation", "same-size", "EvidenceInvalid", size
    yield "conclusive where it is not", "unanswered", "EvidenceInvalid", conclusive
    other = {**same, "manifest.json": prefix["manifest.json"]}
    yield "a manifest of another bundle", "same-size", "EvidenceInvalid", other
    yield "a size in a note", "same-size", "SignatureInvalid", _replaced(same, "first.note", b"\n9\n", b"\n8\n")
    yield "a note that is none", "same-size", "CheckpointInvalid", {**same, "first.note": same["first.note"][:-1]}
    long = note_of_bytes(same["first.note"], MAX_NOTE + 1)
    yield "a note of 65,537 bytes", "same-size", "EvidenceInvalid", {**same, "first.note": long}
    yield "a note too few", "same-size", "EvidenceInvalid", _without(same, "second.note")
    yield "no keys", "same-size", "EvidenceInvalid", _without(same, "keys.txt")
    yield "keys that are no policy", "same-size", "EvidenceInvalid", _replaced(same, "keys.txt", b"quorum none\n", b"")
    yield "no key of the log", "same-size", "SignatureInvalid", _replaced(same, "keys.txt", b"log ", b"#og ")
    yield "a key that signed nothing", "same-size", "EvidenceInvalid", {**same, "keys.txt": policy_text().encode()}
    yield "a beginning that the proof does not lead from", "other-prefix", "ConsistencyInvalid", _root(prefix)
    short = {**prefix, "prefix.proof": b"".join(prefix["prefix.proof"].splitlines(keepends=True)[:-1])}
    yield "a proof that is too short", "other-prefix", "ConsistencyInvalid", short
    yield "no proof", "other-prefix", "EvidenceInvalid", _without(prefix, "prefix.proof")
    unfinished = {**prefix, "prefix.proof": prefix["prefix.proof"][:-1]}
    yield "a proof without its last newline", "other-prefix", "EvidenceInvalid", unfinished
    zero = _replaced(prefix, "prefix.proof", b"size 7", b"size 07")
    yield "a size with a zero in front", "other-prefix", "EvidenceInvalid", zero
    yield "a leaf", "other-entry", "ProofInvalid", _replaced(entry, "second.leaf", b"erasure", b"erasurf")
    yield "one receipt twice", "other-entry", "ProofInvalid", {**entry, "second.proof": entry["first.proof"]}
    yield "a receipt of another version", "other-entry", "ProofInvalid", _replaced(entry, "first.proof", b"@v1", b"@v2")
    yield "an entry of each other tree", "other-entry", "ProofInvalid", _swapped(entry, "leaf")
    proof = note_of_bytes(entry["second.proof"], MAX_PROOF_BYTES + 1)
    yield "a receipt of 69,633 bytes", "other-entry", "EvidenceInvalid", {**entry, "second.proof": proof}
    for name in ("first.leaf", "first.proof", "second.leaf", "second.proof"):
        yield f"receipts without {name}", "other-entry", "EvidenceInvalid", _without(entry, name)
    yield "notes in the other order", "rollback", "EvidenceInvalid", _swapped(good["rollback"], "note")
    blank = _replaced(told, "told.json", b'","seen_at"', b'", "seen_at"')
    yield "a word with a blank too many", "rollback-told", "EvidenceInvalid", blank
    yield "a word without newline", "rollback-told", "EvidenceInvalid", {**told, "told.json": told["told.json"][:-1]}
    yield "a word by somebody else", "rollback-told", "EvidenceInvalid", _replaced(told, "told.json", b"tax", b"law")
    yield "a file too many", "same-size", "EvidenceInvalid", {**same, "remark.txt": b"believe me\n"}
    yield "a file too few", "same-size", "EvidenceInvalid", _without(same, "explanation.txt")
    yield "a proof that nothing needs", "same-size", "EvidenceInvalid", {**same, "prefix.proof": prefix["prefix.proof"]}
    both = {**entry, "prefix.proof": prefix["prefix.proof"]}
    yield "receipts and a proof that nothing needs", "other-entry", "EvidenceInvalid", both
    word = {**good["rollback"], "told.json": told["told.json"]}
    yield "a word that nothing needs", "rollback", "EvidenceInvalid", word


def _sums(good: bytes) -> Iterator[tuple[str, bytes]]:
    first, *others = good.splitlines(keepends=True)
    yield "a digit in the sums", (b"0" if first[:1] != b"0" else b"1") + good[1:]
    yield "sums in another order", b"".join([*others, first])


def _strangers(good: dict[str, Files]) -> Iterator[EvidenceCase]:
    """Good bundles, but not to whoever has other keys."""
    log = f"log {log_signer('the log').verifier_key}\nquorum none\n"
    another = policy_text("another")
    yield EvidenceCase(
        "a log that the reader does not know", "same-size", "SignatureInvalid", good["same-size"], another
    )
    yield EvidenceCase("witnesses that the reader does not know", "rollback", "EvidenceInvalid", good["rollback"], log)


def _replaced(files: Files, name: str, old: bytes, new: bytes) -> Files:
    assert old in files[name]
    return {**files, name: files[name].replace(old, new, 1)}


def _swapped(files: Files, suffix: str) -> Files:
    first, second = f"first.{suffix}", f"second.{suffix}"
    return {**files, first: files[second], second: files[first]}


def _without(files: Files, name: str) -> Files:
    return {other: content for other, content in files.items() if other != name}


def _root(files: Files) -> Files:
    head, root, *rest = files["prefix.proof"].splitlines(keepends=True)
    return {**files, "prefix.proof": b"".join([head, rest[0], root, *rest[1:]])}


def _conclusive(files: Files) -> Files:
    told = _replaced(files, "manifest.json", b'"conclusive":false', b'"conclusive":true')
    return _replaced(told, "explanation.txt", b"Conclusive: no", b"Conclusive: yes")
